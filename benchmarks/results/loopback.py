"""The same plan simulated, and as programs on loopback: the same model, bit for bit?

    python -m benchmarks.results.loopback [--short] [--only digits] [--out FOLDER]

The real one is a coordinator, its nodes and an evaluator, each a program of its own with keys and
a trainer of its own (fedtui/demo/federation.py), on the shards that the simulation cuts as well.
In short: digits, three rounds. In full: Fashion-MNIST besides.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.results.section import Section, Table, main
from benchmarks.simulated import Run, simulate
from fedtui.demo.federation import LocalFederation, NodeSpec
from fedtui.demo.programs import Programs

SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is trained, by how many, for how long."""

    task: str
    nodes: int
    rounds: int
    split: str
    masked: bool

    @property
    def plan(self) -> str:
        """What is simulated, and served; the coordinator leaves `[population]` out."""
        return f"""\
seed = {SEED}
[federation]
name = "same plan"
[task]
name = "{self.task}"
[training]
epochs = 1
batch_size = 32
learning_rate = 0.05
[selection]
minimum = {self.nodes}
[rounds]
start_with = {self.nodes}
maximum = {self.rounds}
[evaluation]
with_evaluator = true
[privacy]
updates = "{"masked" if self.masked else "visible"}"
[population]
nodes = {self.nodes}
split = "{self.split}"
"""

    @property
    def specs(self) -> tuple[NodeSpec, ...]:
        options = () if self.masked else ("--visible",)
        nodes = [
            NodeSpec(
                label=f"node-{i + 1}",
                split=self.split,
                shard=f"{i}/{self.nodes}",
                split_seed=SEED,
                options=options,
            )
            for i in range(self.nodes)
        ]
        return (*nodes, NodeSpec(label="evaluator", role="evaluator", options=options))


async def on_loopback(case: Case) -> list[dict[str, Any]]:
    """Bring it up, follow it to its end, and take it down; what the coordinator says of rounds."""
    folder = Path(tempfile.mkdtemp(prefix="fedtui-bench-"))
    programs = Programs(
        folder, {"FEDTUI_HOME": str(folder / "nodes"), "XDG_RUNTIME_DIR": str(folder / "run")}
    )
    federation = LocalFederation(programs, case.plan, case.specs)
    try:
        (folder / "run").mkdir(mode=0o700)
        await federation.start()
        async for line in federation.follow():
            if line["event"] == "ended" or (line["event"] == "status" and line["status"]["ended"]):
                break
        return list((await federation.status())["rounds"])
    finally:
        await programs.stop()
        shutil.rmtree(folder, ignore_errors=True)


def measure(short: bool, only: str) -> Section:
    cases = [
        Case(
            task="digits", nodes=3 if short else 5, rounds=3, split="dirichlet:0.5", masked=masked
        )
        for masked in (False, True)
    ]
    if not short:
        cases += [
            Case(task="fashion_mnist", nodes=5, rounds=3, split="iid", masked=masked)
            for masked in (False, True)
        ]
    cases = [case for case in cases if only in case.task]
    rows = [_row(case, simulate(case.plan), asyncio.run(on_loopback(case))) for case in cases]
    return Section(
        name="loopback",
        title="A simulation and a real federation make the same model",
        parts=[
            "The same plan file and seed, once simulated in one process, once with every node, "
            "the evaluator and the coordinator as programs of their own on loopback. Equal in "
            "every round, or not; the digest is that of the last model. Seconds of a round are "
            "medians without the first; beside other work, many programs get more of the machine.",
            Table(
                [
                    "task",
                    "nodes",
                    "rounds",
                    "masks",
                    "simulated model",
                    "real model",
                    "equal to the last bit",
                    "equal scores",
                    "s a round: simulated",
                    "real",
                ],
                rows,
            ),
        ],
    )


def _row(case: Case, simulated: Run, real: list[dict[str, Any]]) -> list[str]:
    done = [one for one in real if one["round"] > 0]
    here = [one["model"] for one in simulated.rounds]
    there = [one["model"] for one in done]
    scores = [one["score"] for one in done]
    return [
        case.task,
        str(case.nodes),
        str(case.rounds),
        "on" if case.masked else "off",
        f"`{here[-1][:8]}`",
        f"`{there[-1][:8]}`",
        "yes" if here == there else "NO",
        "yes" if scores == simulated.scores else "NO",
        f"{simulated.median_s:.3f}",
        f"{statistics.median(one['seconds'] for one in done[1:]):.3f}",
    ]


if __name__ == "__main__":
    main("loopback", __doc__, measure)
