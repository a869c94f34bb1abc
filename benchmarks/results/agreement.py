"""Simulations against curves of a plain loop, and engines against each other.

    python -m benchmarks.results.agreement [--short] [--only CNN] [--out FOLDER]

In full: Fashion-MNIST with the splits, initial weights and order of examples of
benchmarks/data/fashion-mnist, against its curves and against `benchmarks/plain_loop.py` on this
machine, masks off and on. In short: digits. Engines have to give the very same bits.
"""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks import plain_loop
from benchmarks.reference_curves import FOLDER, TOLERANCE, initial_params, reference
from benchmarks.results.section import Section, Table, main
from benchmarks.simulated import simulate
from fedtui import plugins
from fedtui.experiments import drawing
from fedtui.learning.data import DataSource
from fedtui.learning.partition import partition
from fedtui.learning.task import load
from fedtui.learning.trainer import initial

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fedtui.experiments.drawing import Figure, Picture
    from fedtui.learning.params import Params

ENGINES = ("serial", "processes", "ray")
MASKS = {"visible": "off", "masked": "on"}
ENGINE_ROUNDS = 2
MOVED = 1e-8
SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One curve: what is trained, on which split, from which weights.

    `curve` is the reference's accuracy after each round; None where there is no reference.
    """

    task: str
    model: str
    split: str
    nodes: int
    learning_rate: float
    rounds: int
    curve: list[float] | None = None

    @property
    def label(self) -> str:
        name = self.split.rpartition("/")[2].removesuffix("_seed1.npz")
        return f"{self.model.upper()}, {name}"

    def plan(self, *, rounds: int, updates: str) -> str:
        return f"""\
seed = {SEED}
[federation]
name = "agreement"
[task]
name = "{self.task}"
options = {{ model = "{self.model}" }}
[training]
epochs = 1
batch_size = 32
learning_rate = {self.learning_rate}
[selection]
minimum = {self.nodes}
[rounds]
start_with = {self.nodes}
maximum = {rounds}
[evaluation]
with_evaluator = true
[privacy]
updates = "{updates}"
[population]
nodes = {self.nodes}
split = "{self.split}"
"""


def cases(*, short: bool) -> Iterator[Case]:
    if short:
        split = "dirichlet:0.5"
        yield Case(task="digits", model="mlp", split=split, nodes=4, learning_rate=0.1, rounds=4)
        return
    for model, split, curve in reference():
        yield Case(
            task="fashion_mnist",
            model=model,
            split=str(FOLDER / f"{split}.npz"),
            nodes=int(split.split("_")[1][1:]),
            learning_rate=0.05,
            rounds=len(curve),
            curve=curve,
        )


def first_of(case: Case) -> Params:
    """The weights that a curve begins with."""
    if case.curve is not None:
        return initial_params(case.model)
    return initial(plugins.build("tasks", case.task, model=case.model), seed=SEED)


def plain(case: Case, *, moved_by: float = 0.0) -> list[float]:
    """The plain loop's accuracies on this machine, from weights that are moved by such noise."""
    torch.set_num_threads(1)
    task = plugins.build("tasks", case.task, model=case.model)
    train, test = load(task, DataSource()), load(task, DataSource(part="test"))
    first_D = first_of(case).vector_D
    noise_D = np.random.default_rng(SEED).standard_normal(len(first_D)) * moved_by
    loop = plain_loop.rounds(
        task,
        train,
        partition(case.split, train.y, num_shards=case.nodes, seed=SEED),
        (first_D + noise_D).astype(np.float32),
        learning_rate=case.learning_rate,
        batch_size=32,
        seed=SEED,
    )
    done = itertools.islice(loop, case.rounds)
    return [plain_loop.accuracy(module, test) for module, _ in done]


@dataclass(frozen=True, slots=True)
class Found:
    """A case's accuracies: the plain loop's here, from moved weights, and simulated by masks."""

    case: Case
    plain: list[float]
    moved: list[float]
    simulated: dict[str, list[float]]


def measure(short: bool, only: str) -> Section:
    found: list[Found] = []
    engine_rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        first_file = Path(folder) / "initial.safetensors"
        for case in cases(short=short):
            if only not in case.label:
                continue
            first_file.write_bytes(first_of(case).to_safetensors())
            simulated = {}
            for updates, masks in MASKS.items():
                plan = case.plan(rounds=case.rounds, updates=updates)
                simulated[updates] = simulate(plan, "--initial", str(first_file)).scores
                engine_rows.append([case.label, masks, *same_bits(case, updates, first_file)])
            found.append(Found(case, plain(case), plain(case, moved_by=MOVED), simulated))
    return Section(
        name="agreement",
        title="A simulation learns what a plain loop learns",
        parts=[
            "Test accuracy after every round: the largest difference in any round to a plain "
            "torch loop on this machine (`benchmarks/plain_loop.py`), and to the reference curve "
            "that was made on another (`benchmarks/data/fashion-mnist/reference.json`). The last "
            "column says what rounding alone does: the plain loop against itself, from weights "
            f"moved by noise of {MOVED:g}.",
            Table(
                ["curve", "masks", "rounds", "to the plain loop", "to the reference", "rounding"],
                [_row(one, updates) for one in found for updates in MASKS],
            ),
            f"Engines, {ENGINE_ROUNDS} rounds each: the first digits of the SHA-256 of the model "
            "that came out.",
            Table(["curve", "masks", *ENGINES, "equal to the last bit"], engine_rows),
        ],
        pictures={"Accuracy over rounds, simulated and plain": _picture(found)},
    )


def same_bits(case: Case, updates: str, initial_file: Path) -> list[str]:
    """What each engine's model begins with, and whether they are the same."""
    plan = case.plan(rounds=ENGINE_ROUNDS, updates=updates)
    found = [
        simulate(plan, "--initial", str(initial_file), "--engine", name).model for name in ENGINES
    ]
    return [*(f"`{one[:8]}`" for one in found), "yes" if len(set(found)) == 1 else "NO"]


def _row(found: Found, updates: str) -> list[str]:
    case, mine = found.case, found.simulated[updates]
    return [
        case.label,
        MASKS[updates],
        str(case.rounds),
        largest(mine, found.plain),
        largest(mine, case.curve) if case.curve else "",
        largest(found.moved, found.plain),
    ]


def largest(one: list[float], other: list[float]) -> str:
    """The largest difference in any round."""
    return f"{max(abs(a - b) for a, b in zip(one, other, strict=True)):.4f}"


def _picture(found: list[Found]) -> Picture:
    def paint(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for one, color in zip(found, drawing.PALETTE, strict=False):
            numbers = range(1, one.case.rounds + 1)
            left.plot(numbers, one.plain, color=color, linewidth=1.2, label=one.case.label)
            for updates, style in (("visible", "-"), ("masked", (0, (4, 1.5)))):
                mine = one.simulated[updates]
                filled = color if updates == "visible" else "none"
                left.plot(numbers, mine, "o", color=color, markersize=4, markerfacecolor=filled)
                apart = [a - b for a, b in zip(mine, one.plain, strict=True)]
                right.plot(numbers, apart, color=color, linewidth=1.2, linestyle=style)
        grey = {"color": drawing.GREY}
        left.plot([], [], "o", **grey, label="simulated, masks off")
        left.plot([], [], "o", **grey, markerfacecolor="none", label="simulated, masks on")
        right.plot([], [], **grey, linewidth=1.2, label="masks off")
        right.plot([], [], **grey, linewidth=1.2, linestyle=(0, (4, 1.5)), label="masks on")
        left.set_title("accuracy; lines are the plain loop's")
        left.set_ylabel("accuracy")
        right.set_title("simulated less plain")
        right.set_ylabel("accuracy")
        right.axhspan(-TOLERANCE, TOLERANCE, color="#eef0f2", zorder=0)
        for axes, corner in ((left, "lower right"), (right, "upper right")):
            drawing.whole_rounds(axes)
            axes.legend(loc=corner)

    return drawing.draw((10.0, 4.0), paint)


if __name__ == "__main__":
    main("agreement", __doc__, measure)
