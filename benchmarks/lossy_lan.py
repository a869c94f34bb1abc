"""How long whole rounds take over a slow and lossy network, and how many bytes they move.

    python -m benchmarks.lossy_lan --namespaces ll0 ll1 ll2 --host 10.88.0.1 --json
    python -m benchmarks.lossy_lan --namespaces ll0 ll1 ll2 --host 10.88.0.1 --bits 8 --json

The network is made beforehand: namespaces, of which the first is the coordinator's with address
`--host`, and the others one node's each, with whatever delay, loss and rate between them. The real
programs run in them, as in rounds.py with a task that trains nothing, whose updates are visible
and plain. `--bits` is the plan's `[traffic] model_bits`; without it whole models travel.

The floor is what the coordinator's own line needs at `--mbit` for the bytes that were counted, all
nodes together, one direction after the other: nobody trains while anything travels.
"""

import argparse
import asyncio
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import rounds
from benchmarks.printing import show
from fedtui.demo.federation import LocalFederation, NodeSpec
from fedtui.demo.programs import Program, Programs

LONG_S = 3600.0


class Apart(Programs):
    """Programs that stay run in a namespace each, by name."""

    namespaces: dict[str, str]

    async def start_argv(self, name: str, *argv: str) -> Program:
        if argv[0] != "ip":  # started again as it was started
            argv = ("ip", "netns", "exec", self.namespaces[name], *argv)
        return await super().start_argv(name, *argv)


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="fedtui-bench-"))
    programs = Apart(folder, {"FEDTUI_HOME": str(folder / "nodes")})
    where, *elsewhere = options.namespaces
    labels = [f"node-{place}" for place in range(len(elsewhere))]
    programs.namespaces = {"coordinator": where, **dict(zip(labels, elsewhere, strict=True))}
    specs = tuple(
        NodeSpec(
            label=label,
            shard=f"{place}/{len(labels)}",
            options=("--task-file", str(rounds.TASK_FILE), "--visible"),
        )
        for place, label in enumerate(labels)
    )
    task = ("--task-file", str(rounds.TASK_FILE), "--host", options.host)
    federation = LocalFederation(programs, plan_toml(options), specs, init_options=task)
    try:
        await federation.start()
        async for line in federation.follow():
            if line["event"] == "ended" or (line["event"] == "status" and line["status"]["ended"]):
                break
        status = await federation.status()
    finally:
        await programs.stop()
        shutil.rmtree(folder, ignore_errors=True)
    counted = [r for r in status["rounds"] if r["round"] > 1]
    nodes = len(labels)
    up = rounds.per_node(counted, "bytes_up", nodes)
    down = rounds.per_node(counted, "bytes_down", nodes)
    return {
        "bits": options.bits,
        "dim": options.dim,
        "rounds": len(counted),
        "bytes_down_per_node_round": down,
        "bytes_up_per_node_round": up,
        "seconds_per_round": round(statistics.median(r["seconds"] for r in counted), 1),
        "floor_s": round(nodes * (up + down) * 8 / (options.mbit * 1e6), 1),
    }


def plan_toml(options: argparse.Namespace) -> str:
    """As rounds.py has it, with deadlines that nobody misses."""
    one = argparse.Namespace(
        dim=options.dim,
        nodes=len(options.namespaces) - 1,
        rounds=options.rounds,
        secure=False,
        keystream="chacha20",
    )
    plan = rounds.plan_toml(one).replace("update_s = 600.0", f"update_s = {LONG_S}")
    return plan + (f"[traffic]\nmodel_bits = {options.bits}\n" if options.bits else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--namespaces", nargs="+", required=True, metavar="NAME")
    parser.add_argument("--host", required=True, help="the coordinator's address")
    parser.add_argument("--bits", type=int, choices=(32, 16, 8, 4), help="model_bits of the plan")
    parser.add_argument("--mbit", type=float, default=10.0, help="of a line, for the floor")
    parser.add_argument("--dim", type=int, default=1_000_000, help="values of the model")
    parser.add_argument("--rounds", type=int, default=3, help="counted rounds")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    options = parser.parse_args()
    found = asyncio.run(measure(options))
    show(found, as_json=options.json)


if __name__ == "__main__":
    main()
