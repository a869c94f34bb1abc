"""Every strategy against FedAvg: at equal rounds, at equal bytes, at equal virtual time.

    python -m benchmarks.results.strategies [--short] [--only scaffold] [--out FOLDER]

100 nodes, 10 a round, IID and by Dirichlet's law, three seeds: a quarter of an hour on one core,
kept run by run in fedtui-runs/strategies.jsonl, so that it can be interrupted; when all are there,
the page is written without running anything. In short: digits, one seed, two strategies, nothing
kept.
"""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.results import published
from benchmarks.results.comparing import BASE, against, compared, spread, verdict
from benchmarks.results.curves import LAST, Curve, Kept
from benchmarks.results.section import ROOT, Section, Table, main
from benchmarks.results.trials import Way, World
from fedtui.experiments import drawing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedtui.experiments.drawing import Figure, Picture

KEPT = ROOT / "fedtui-runs" / "strategies.jsonl"
SEEDS = (1, 2, 3)
SPLITS = ("dirichlet:0.1", "dirichlet:0.5", "iid")
NODES, ROUNDS = 100, 30
NODES_IN_SHORT = 10
ALL, ALL_IN_SHORT = {"population": NODES}, {"population": NODES_IN_SHORT}
WAYS = {
    BASE: Way(strategy="fedavg"),
    "fedavg by examples": Way(strategy="fedavg", weights="examples"),
    "fedavgm": Way(strategy="fedavgm", options={"momentum": 0.9, "server_learning_rate": 0.3}),
    "fedprox": Way(strategy="fedprox", options={"mu": 0.01}),
    "scaffold": Way(strategy="scaffold", options=ALL),
    "fednova": Way(strategy="fednova", weights="examples"),
    "fedopt adam": Way(
        strategy="fedopt", options={"optimizer": "adam", "server_learning_rate": 0.01}
    ),
    "fedopt yogi": Way(
        strategy="fedopt", options={"optimizer": "yogi", "server_learning_rate": 0.01}
    ),
    "fedopt adagrad": Way(
        strategy="fedopt", options={"optimizer": "adagrad", "server_learning_rate": 0.01}
    ),
    "feddyn": Way(strategy="feddyn", options={"alpha": 0.1, **ALL}),
    "qfedavg": Way(strategy="qfedavg", options={"q": 0.1}),
}
OWN_WAYS = {
    BASE: Way(strategy="fedavg"),
    "fedper": Way(strategy="fedper", options={"stays": ["3.*"]}),
    "ditto": Way(strategy="ditto", options={"lam": 0.1}),
}
OWN_SPLITS = ("dirichlet:0.1", "dirichlet:0.5")
OWN_ROUNDS = 20
READING = (
    "Where it helps: feddyn and the three adaptive servers are above fedavg on every split, for "
    "no more bytes and time, by 0.3 to 2.2 points; fedavgm by half a point where data are less "
    "unlike. Where it does not: scaffold gains half a point on dirichlet:0.5 at equal rounds, and "
    "at equal bytes it is two to five points behind everywhere: one epoch a round leaves little "
    "drift to correct, and a node's control is ten rounds old. fedprox differs by less than a "
    "tenth of a point either way, which three seeds cannot tell from nothing. qfedavg is below on "
    "every split: it makes shorter steps, for accuracy that is more even over the nodes, which "
    "is not measured here. fednova weighs by examples: on dirichlet:0.1 it is on the mean above "
    "fedavg by examples, and both are below equal weights."
)
DRAWN = (BASE, "scaffold", "feddyn", "fedopt adagrad")


def world(split: str, *, short: bool) -> World:
    if short:
        return World(task="digits", split=split, nodes=NODES_IN_SHORT, count=5, rounds=6)
    return World(task="fashion_mnist", split=split, nodes=NODES, count=10, rounds=ROUNDS)


def own_world(split: str) -> World:
    return World(
        task="fashion_mnist",
        split=split,
        nodes=NODES,
        count=10,
        rounds=OWN_ROUNDS,
        own_score=True,
    )


def measure(short: bool, only: str) -> Section:
    kept = Kept(None if short else KEPT)
    seeds = SEEDS[:1] if short else SEEDS
    parts = _about(short=short, seeds=seeds)
    parts += [] if short or only else [READING]
    found: dict[str, dict[str, list[Curve]]] = {}
    for split in SPLITS[:1] if short else SPLITS:
        here = world(split, short=short)
        found[split] = {
            label: [here.curve(kept, way, seed) for seed in seeds]
            for label, way in _chosen(only, short=short).items()
        }
        table, said = compared(found[split])
        parts += [f"**{split}**, at equal rounds: {said}.", table]
    if not short:
        parts += _personal(kept, only, seeds)
        parts += [published.ABOUT_NIID, published.beside(found)]
    return Section(
        name="strategies",
        title="Every strategy against FedAvg",
        parts=parts,
        pictures={"Accuracy over rounds, means over the seeds": _picture(found)},
    )


def _chosen(only: str, *, short: bool) -> dict[str, Way]:
    """FedAvg and the ways that are asked for; in short SCAFFOLD, among ten nodes."""
    if short:
        return {BASE: WAYS[BASE], "scaffold": replace(WAYS["scaffold"], options=ALL_IN_SHORT)}
    return {label: way for label, way in WAYS.items() if label == BASE or only in label}


def _about(*, short: bool, seeds: Sequence[int]) -> list[str | Table]:
    here = world(SPLITS[0], short=short)
    used = "; ".join(f"{label}: {way.text}" for label, way in WAYS.items() if way.text)
    return [
        f"{here.task}, {here.nodes} nodes, {here.count} a round, {here.rounds} rounds of one "
        f"local epoch, batches of {here.batch_size}, local learning rate {here.learning_rate}; "
        f"seeds {', '.join(map(str, seeds))}. Accuracy is the evaluator's, on the test images, "
        f"and the mean of the last {LAST} rounds. Cells have the mean over the seeds, the "
        "smallest and the largest; the difference is that of the same seed to fedavg, the mean "
        "of it, with the number of seeds in which it is above 0.",
        "Equal bytes and equal virtual time are those of fedavg's rounds: both directions, over "
        "lines of 10 Mbit/s up and 50 down, 500 examples a second with a spread of 0.3. scaffold "
        "sends two vectors both ways: equal bytes are half the rounds. Nodes weigh equally, but "
        "by their examples in fednova, as in its paper, and where a row says so.",
        "Options are the same for all splits. They were chosen on seed 11 of dirichlet:0.1, 40 "
        "rounds, among a few: local learning rates of 0.02, 0.05 and 0.1 for fedavg, which all "
        "then use; at 0.05, the server's of 0.1 and 0.3 for fedavgm, 0.003 and 0.01 for adam and "
        "yogi, 0.01 and 0.03 for adagrad; mu 0.01 and 0.1; alpha 0.01 and 0.1; q 0.1 and 1. "
        f"Used: {used}. Runs are kept in fedtui-runs/strategies.jsonl, a line each, and not run "
        "again while it is there.",
    ]


def _personal(kept: Kept, only: str, seeds: Sequence[int]) -> list[str | Table]:
    rows, said = [], []
    for split in OWN_SPLITS:
        here = own_world(split)
        scores = {
            label: [here.curve(kept, way, seed).within() for seed in seeds]
            for label, way in OWN_WAYS.items()
            if label == BASE or only in label
        }
        said.append(f"{split}: {verdict(scores)}")
        rows += [
            [
                split,
                label,
                OWN_WAYS[label].text,
                spread(values),
                "" if label == BASE else against(values, scores[BASE]),
            ]
            for label, values in scores.items()
        ]
    return [
        "Models of the nodes' own, measured as each node uses its model, on a fifth of its own "
        f"examples that it holds out; {OWN_ROUNDS} rounds, else as above. The score of fedavg "
        "is that of the global model on the same examples. It says nothing of how well such a "
        f"model does on other nodes' examples. {'. '.join(said)}.",
        Table(["split", "strategy", "options", "accuracy", "to fedavg"], rows),
    ]


def _picture(curves_of: dict[str, dict[str, list[Curve]]]) -> Picture:
    def paint(figure: Figure) -> None:
        panels = figure.subplots(1, len(curves_of), sharey=True, squeeze=False)[0]
        for axes, (split, curves) in zip(panels, curves_of.items(), strict=True):
            shown = {label: curves[label] for label in DRAWN if label in curves}
            for (label, found), color in zip(shown.items(), drawing.PALETTE, strict=False):
                columns = zip(*(one.scores for one in found), strict=True)
                means = [statistics.mean(column) for column in columns]
                drawing.line(axes, range(1, len(means) + 1), means, color=color, label=label)
            axes.set_title(split)
            drawing.whole_rounds(axes)
        panels[0].set_ylabel("accuracy")
        panels[-1].legend(loc="lower right")

    return drawing.draw((3.6 * len(curves_of), 3.6), paint)


if __name__ == "__main__":
    main("strategies", __doc__, measure)
