"""What simulated rounds cost: the command `fedtui-simulate run`, as a person starts it.

    python -m benchmarks.simulation
    python -m benchmarks.simulation --only protocol --repeats 5 --json
    python -m benchmarks.simulation --short

`protocol`: 10 nodes whose updates are a vector made beforehand (null_task.py), so a round costs
what the state machines, the codec, digests and sums cost, and masks where they are on. `training`:
the MLP on 60,000 images of Fashion-MNIST, 10 nodes, one epoch a round, beside a plain torch loop
over the same batches in a process of its own (plain_loop.py), in turns. `memory`: how much larger
the process is at its peak with 10,000 virtual nodes than with 1,000, for each node more. `many`:
10,000 nodes, 100 a round, the MLP on six images each, the whole command.

Seconds are medians of the rounds after the first, and of `--repeats` runs. Each stands beside its
budget: twice pfl 0.6, which runs no protocol at all, and a third of Flower 1.42 on Ray after its
warm-up, both on two cores. Nothing is asserted: the exit status is 0 in any case, 65 without the
images. A model of each round is written to disk by a thread of its own, which is not waited for.

The floor of `protocol`: a round makes a digest of the model and one of the update (BLAKE2b, 1 GB/s
here), adds N vectors in 64 bits each, and turns the model into bytes for the disk.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from benchmarks.simulated import Run, RunError, machine, null_plan, simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PFL_S = {10**5: 0.01, 10**6: 0.06, 10**7: 0.84}
FLOWER_S = {10**5: 0.20, 10**6: 0.43, 10**7: 2.85}
MASKED_BUDGET_S = 0.3
NODE_BUDGET_KB = 50.0
MANY_BUDGET_S = 20 * 60.0
TRAINING_BUDGET = 1.10


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure beside what it should be at most; None where nothing was promised."""

    what: str
    measured: float
    unit: str
    budget: float | None
    of: str = ""

    @property
    def verdict(self) -> str:
        if self.budget is None:
            return ""
        return "met" if self.measured <= self.budget else "not met"


def mlp_plan(*, nodes: int, rounds: int, count: int | None = None) -> str:
    """Fashion-MNIST's MLP, everything seen, nothing measured."""
    return f"""\
seed = 1
[federation]
name = "benchmark"
[task]
name = "fashion_mnist"
options = {{ model = "mlp" }}
[training]
epochs = 1
batch_size = 32
learning_rate = 0.05
[selection]
minimum = {count or nodes}
count = {count or nodes}
[rounds]
start_with = {nodes}
maximum = {rounds}
[evaluation]
holdout = 0.0
[privacy]
updates = "visible"
[population]
nodes = {nodes}
"""


def median_of(repeats: int, once: Callable[[], float]) -> float:
    return statistics.median(once() for _ in range(repeats))


def protocol(repeats: int, *, short: bool) -> Iterator[Figure]:
    sizes = [10**4] if short else list(PFL_S)
    for dim in sizes:
        for masked in (False, True):
            plan = null_plan(nodes=10, dim=dim, rounds=5 if dim == 10**7 else 12, masked=masked)
            found = median_of(repeats, lambda plan=plan: simulate(plan).median_s)  # type: ignore[misc]
            what = f"10 nodes, {dim:,} values, {'masked' if masked else 'visible'}"
            if dim not in PFL_S:
                yield Figure(what, found, "s a round", None)
            elif masked:
                budget = MASKED_BUDGET_S if dim == 10**5 else None
                yield Figure(what, found, "s a round", budget, "half of Flower's SecAgg+")
            else:
                yield Figure(what, found, "s a round", 2 * PFL_S[dim], "twice pfl's")
                yield Figure(what, found, "s a round", FLOWER_S[dim] / 3, "a third of Flower's")


def training(repeats: int, *, short: bool) -> Iterator[Figure]:
    num_rounds = 3 if short else 9
    plan = mlp_plan(nodes=10, rounds=num_rounds)
    ours, plain = [], []
    for _ in range(repeats):
        ours.append(simulate(plan).median_s)
        plain.append(plain_seconds(num_rounds))
    mine, theirs = statistics.median(ours), statistics.median(plain)
    yield Figure("MLP, 10 nodes, 60,000 images, simulated", mine, "s a round", None)
    yield Figure("the same as a plain torch loop", theirs, "s a round", None)
    ratios = statistics.median(a / b for a, b in zip(ours, plain, strict=True))
    yield Figure("simulated, per plain loop", ratios, "times", TRAINING_BUDGET, "plus 10 %")


def plain_seconds(num_rounds: int) -> float:
    """The plain loop's median round after the first."""
    command = [sys.executable, "-m", "benchmarks.plain_loop", "--rounds", str(num_rounds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return statistics.median(json.loads(done.stdout)[1:])


def memory(repeats: int, *, short: bool) -> Iterator[Figure]:
    few, many = (100, 1000) if short else (1000, 10_000)

    def peak(nodes: int) -> float:
        plan = null_plan(nodes=nodes, dim=1000, rounds=20, count=100)
        return median_of(repeats, lambda: simulate(plan).peak_mb)

    small, large = peak(few), peak(many)
    yield Figure(f"peak memory with {few:,} nodes, 100 a round", small, "MB", None)
    yield Figure(f"peak memory with {many:,} nodes, 100 a round", large, "MB", None)
    each_kb = (large - small) * 1000 / (many - few)
    yield Figure("memory of each virtual node more", each_kb, "KB", NODE_BUDGET_KB)


def many(repeats: int, *, short: bool) -> Iterator[Figure]:
    nodes, num_rounds = (1000, 5) if short else (10_000, 100)
    plan = mlp_plan(nodes=nodes, rounds=num_rounds, count=100)
    runs: list[Run] = [simulate(plan) for _ in range(repeats)]
    what = f"MLP, {nodes:,} nodes, 100 a round, {num_rounds} rounds: the whole command"
    budget = None if short else MANY_BUDGET_S
    yield Figure(what, statistics.median(run.wall_s for run in runs), "s", budget)
    each = statistics.median(run.median_s for run in runs)
    yield Figure("of which a round", each, "s a round", None)


PARTS = {"protocol": protocol, "training": training, "memory": memory, "many": many}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", choices=list(PARTS), help="one part of it")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each")
    parser.add_argument("--short", action="store_true", help="small sizes: a minute or two")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    chosen = parser.parse_args()
    found: list[Figure] = []
    try:
        for name in [chosen.only] if chosen.only else PARTS:
            for figure in PARTS[name](chosen.repeats, short=chosen.short):
                found.append(figure)
                if not chosen.json:
                    print(line_of(figure), flush=True)
    except RunError as error:
        print(error, file=sys.stderr)
        return 65
    if chosen.json:
        figures = [{**asdict(one), "verdict": one.verdict} for one in found]
        print(json.dumps({"machine": machine(), "figures": figures}))
    return 0


def line_of(figure: Figure) -> str:
    shown = f"{figure.what:66} {figure.measured:9.4g} {figure.unit:9}"
    if figure.budget is None:
        return shown.rstrip()
    of = f" ({figure.of})" if figure.of else ""
    return f"{shown} at most {figure.budget:.3g}{of}: {figure.verdict}"


if __name__ == "__main__":
    sys.exit(main())
