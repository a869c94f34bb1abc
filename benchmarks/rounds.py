"""How long a round takes, how many bytes it moves and what it costs: real programs on loopback.

    python -m benchmarks.rounds --nodes 10 --dim 1000000 --rounds 5 --json
    python -m benchmarks.rounds --nodes 10 --dim 1000000 --rounds 5 --secure --json
    python -m benchmarks.rounds --nodes 1000 --thin --dim 10000 --rounds 3 --json

The task trains nothing (null_task.py): each node returns a random vector made beforehand, so the
figures are those of the protocol, the network and the disk. The first round is not counted: in it
every node receives the initial model and every trainer starts. `--thin` puts all nodes into one
process, with links, keys and ledgers of their own, but without trainer processes.

Other work on the machine makes rounds longer, and CPU seconds hardly: `cpu_seconds` are those of
the median program since it began, `cpu_seconds_per_round` those of a role's programs together.

The floor: a round moves 2 * N * 4 * D bytes over loopback, each encrypted, decrypted, hashed twice
and written to disk once on either side. With `--secure` every node makes N masks of its vector on
top, and the coordinator as many again; with `--group 3` each makes three, and the coordinator
opens a sum of every group.
"""

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import psutil

from benchmarks.printing import show
from fedtui.crypto.keystream import Keystream
from fedtui.demo.federation import LocalFederation, NodeSpec
from fedtui.demo.programs import Programs

HERE = Path(__file__).parent
TASK_FILE = HERE / "null_task.py"
Costs = dict[str, dict[str, float]]


def plan_toml(options: argparse.Namespace) -> str:
    """Fixed rounds, everybody in each, nothing measured; of groups the median of their means."""
    digest = sha256(TASK_FILE.read_bytes()).hexdigest()
    group = f"group = {options.group}\n" if options.group else ""
    return f"""\
[federation]
name = "benchmark"
[task]
name = "null_task"
sha256 = "{digest}"
metric = "loss"
options = {{ dim = {options.dim} }}
[selection]
minimum = {options.nodes}
[aggregator]
name = "{"median" if options.group else "mean"}"
[rounds]
start_with = {options.nodes}
maximum = {options.rounds + 1}
[evaluation]
holdout = 0.0
[deadlines]
update_s = 600.0
[privacy]
updates = "{"masked" if options.secure else "visible"}"
largest_cohort = {max(100, options.nodes)}
keystream = "{options.keystream}"
{group}"""


async def bring_up(federation: LocalFederation, options: argparse.Namespace) -> None:
    if not options.thin:
        await federation.start()
        return
    made = await federation.start_coordinator()
    uses = ["--uses", str(options.nodes), "--auto-approve"]
    invite = federation.programs.folder / "invite"
    invite.write_text(await federation.programs.run(*federation.coordinator("invite", *uses)))
    host = await federation.programs.start_argv(
        "thin",
        sys.executable,
        *(str(HERE / "thin_nodes.py"), "--invite", str(invite), "--plan", made["plan_hash"]),
        *("--count", str(options.nodes), "--dim", str(options.dim)),
    )
    await federation.programs.ready(host, "enrolled", patience_s=600.0)


async def until_ended(
    federation: LocalFederation, options: argparse.Namespace
) -> dict[int, Costs]:
    """Follow to the end; what everything had cost after each round but the last."""
    spent: dict[int, Costs] = {}
    async for line in federation.follow():
        if line["event"] == "round finished" and line["round"] <= options.rounds:
            spent[line["round"]] = costs(federation.programs)
        if line["event"] == "ended" or (line["event"] == "status" and line["status"]["ended"]):
            break
    return spent


def per_round(spent: dict[int, Costs]) -> dict[str, float]:
    """CPU seconds of all programs of a role together, in rounds after the first one seen."""
    first, last = min(spent), max(spent)
    return {
        role: round((cost["all_cpu_s"] - spent[first][role]["all_cpu_s"]) / (last - first), 3)
        for role, cost in spent[last].items()
        if last > first
    }


def cost_of(processes: list[psutil.Process]) -> dict[str, float]:
    """Peak memory of the largest, CPU seconds of the median one and of all together."""
    peaks, seconds = [], []
    for process in processes:
        status = Path(f"/proc/{process.pid}/status").read_text()
        peaks.append(int(status.split("VmHWM:")[1].split()[0]) / 1024)
        times = process.cpu_times()
        seconds.append(times.user + times.system)
    if not processes:
        return {"rss_mb": 0.0, "cpu_s": 0.0, "all_cpu_s": 0.0}
    return {
        "rss_mb": round(max(peaks), 1),
        "cpu_s": round(statistics.median(seconds), 3),
        "all_cpu_s": sum(seconds),
    }


def costs(programs: Programs) -> Costs:
    by_role: dict[str, list[psutil.Process]] = {"coordinator": [], "node": [], "trainer": []}
    for name, program in programs.started.items():
        process = psutil.Process(program.process.pid)
        by_role["coordinator" if name == "coordinator" else "node"].append(process)
        by_role["trainer"] += process.children() if name != "coordinator" else []
    return {role: cost_of(found) for role, found in by_role.items()}


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="fedtui-bench-"))
    programs = Programs(folder, {"FEDTUI_HOME": str(folder / "nodes")})
    specs = tuple(
        NodeSpec(
            label=f"node-{i}",
            shard=f"{i}/{options.nodes}",
            options=("--task-file", str(TASK_FILE), *([] if options.secure else ["--visible"])),
        )
        for i in range(options.nodes)
    )
    federation = LocalFederation(
        programs, plan_toml(options), specs, init_options=("--task-file", str(TASK_FILE))
    )
    try:
        await bring_up(federation, options)
        spent = await until_ended(federation, options)
        status = await federation.status()
    finally:
        await programs.stop()
        shutil.rmtree(folder, ignore_errors=True)
    counted = [r for r in status["rounds"] if r["round"] > 1]
    seconds = [r["seconds"] for r in counted]
    at_end = spent[max(spent)]
    return {
        "nodes": options.nodes,
        "dim": options.dim,
        "thin": options.thin,
        "secure": options.secure,
        "group": options.group,
        "keystream": options.keystream if options.secure else None,
        "rounds": len(counted),
        "seconds_per_round": {
            "median": round(statistics.median(seconds), 4),
            "min": round(min(seconds), 4),
            "max": round(max(seconds), 4),
        },
        "bytes_up_per_node_round": per_node(counted, "bytes_up", options.nodes),
        "bytes_down_per_node_round": per_node(counted, "bytes_down", options.nodes),
        "payload_bytes": 4 * options.dim,  # of an update as it is trained; masked: about as much
        "peak_rss_mb": {role: cost["rss_mb"] for role, cost in at_end.items()},
        "cpu_seconds": {role: cost["cpu_s"] for role, cost in at_end.items()},
        "cpu_seconds_per_round": per_round(spent),
    }


def per_node(rounds: list[dict[str, Any]], key: str, nodes: int) -> int:
    return round(statistics.median(r[key] for r in rounds) / nodes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=10)
    parser.add_argument("--dim", type=int, default=1_000_000, help="values of the model")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds, 3 or more")
    parser.add_argument("--thin", action="store_true", help="all nodes in one process")
    parser.add_argument("--secure", action="store_true", help="masked updates")
    parser.add_argument(
        "--group", type=int, default=0, help="with --secure: least members of a group; 0: none"
    )
    parser.add_argument("--keystream", choices=get_args(Keystream), default="chacha20")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    options = parser.parse_args()
    if options.group and not options.secure:
        parser.error("--group without --secure: only sums are split into groups")
    found = asyncio.run(measure(options))
    show(found, as_json=options.json)


if __name__ == "__main__":
    main()
