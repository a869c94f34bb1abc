"""Accuracy under differential privacy: noise of all nodes under masks beside central noise.

    python -m benchmarks.results.privacy [--short] [--only "epsilon 8"] [--out FOLDER]

Fashion-MNIST in small, 1,000 nodes, 200 a round: half an hour on one core, kept run by run in
fedtui-runs/privacy.jsonl. In short: digits, 20 nodes, one epsilon.
"""

from __future__ import annotations

import hashlib
import math
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results.curves import LAST, Kept
from benchmarks.results.section import ROOT, Section, Table, main
from fedtui.privacy import accounting
from fedtui.privacy.accounting import Release

if TYPE_CHECKING:
    from benchmarks.results.curves import Curve

KEPT = ROOT / "fedtui-runs" / "privacy.jsonl"
TASK = Path(__file__).parents[1] / "small_fashion.py"
EPSILONS, DELTA = (8.0, 4.0, 1.0), 1e-4
SEEDS = (1, 2)
NODES, COUNT, ROUNDS = 1000, 200, 15
MINIMUM, COLLUDERS = 180, 20
CLIP = 0.5


class Setting:
    """The sizes of a run, in full or in short."""

    def __init__(self, *, short: bool) -> None:
        self.short = short
        self.nodes, self.count, self.rounds = (20, 12, 3) if short else (NODES, COUNT, ROUNDS)
        self.minimum, self.colluders = (10, 2) if short else (MINIMUM, COLLUDERS)
        self.honest = self.minimum - self.colluders
        self.more = math.sqrt((self.count - self.colluders) / self.honest)
        """How much larger the noise of a whole cohort is than what is guaranteed."""

    def noise(self, epsilon: float) -> float:
        """What is guaranteed must have this epsilon, for a node that is in all rounds."""
        return accounting.noise_now(epsilon, DELTA, self.rounds) * 1.005  # for what sums lose

    def epsilon(self, noise: float) -> float:
        return accounting.epsilon_now([Release(noise, self.rounds)], DELTA)

    def plan(self, seed: int, privacy: str, dp: str) -> str:
        pinned = hashlib.sha256(TASK.read_bytes()).hexdigest()
        task = '"digits"' if self.short else f'"small_fashion"\nsha256 = "{pinned}"'
        return f"""\
seed = {seed}
[federation]
name = "privacy"
[task]
name = {task}
[training]
epochs = 1
batch_size = 10
learning_rate = 0.05
update_clip = {CLIP}
[selection]
count = {self.count}
minimum = {self.minimum}
[rounds]
maximum = {self.rounds}
start_with = {self.nodes}
[weights]
by = "equal"
[evaluation]
with_evaluator = true
[privacy]
{privacy}
{dp}[population]
nodes = {self.nodes}
"""

    def curve(self, kept: Kept, seed: int, dp: str, *, masked: bool = False) -> Curve:
        numbers = f"minimum = {self.minimum}\ncolluders = {self.colluders}\nlargest_cohort = 256"
        privacy = numbers if masked else 'updates = "visible"'
        return kept.curve(self.plan(seed, privacy, dp), None if self.short else TASK)


def measure(short: bool, only: str) -> Section:
    here, kept = Setting(short=short), Kept(None if short else KEPT)
    seeds = SEEDS[:1] if short else SEEDS
    plain = [_score(here.curve(kept, seed, "")) for seed in seeds]
    rows = [["none", "", "", _said(plain), ""]]
    for epsilon in EPSILONS[:1] if short else EPSILONS:
        label = f"epsilon {epsilon:g}"
        if only not in label:
            continue
        noise = here.noise(epsilon)
        same = noise * here.more
        realised = f"{here.epsilon(same):.2f}"
        masked = [
            _score(here.curve(kept, seed, _dp("distributed", noise), masked=True))
            for seed in seeds
        ]
        central = [_score(here.curve(kept, seed, _dp("central", same))) for seed in seeds]
        promised = [_score(here.curve(kept, seed, _dp("central", noise))) for seed in seeds]
        rows += [
            ["distributed, masked", f"{epsilon:g}", realised, _said(masked), ""],
            ["central", realised, realised, _said(central), _gap(masked, central)],
            ["central", f"{epsilon:g}", f"{epsilon:g}", _said(promised), _gap(masked, promised)],
        ]
    return Section(
        name="privacy",
        title="Accuracy under differential privacy of nodes",
        parts=[
            _about(here, len(seeds)),
            Table(
                ["noise", "epsilon guaranteed", "realised", "accuracy", "distributed to this"],
                rows,
            ),
            "Published beside it: Kairouz, Liu and Steinke (ICML 2021, arXiv:2102.06387) find the "
            "same of sums of discrete Gaussians under secure aggregation on EMNIST and Stack "
            "Overflow, in words of their abstract: they match central differential privacy's "
            "accuracy with less than 16 bits of precision per value. Their epsilons count "
            "sampling, ours do not, so levels cannot be compared.",
        ],
    )


def _about(here: Setting, num_seeds: int) -> str:
    task = "digits" if here.short else "Fashion-MNIST, a linear model of 1,970 values"
    return (
        f"{task}, {here.nodes:,} nodes with alike data, {here.count} a round, {here.rounds} "
        f"rounds, update_clip {CLIP:g}, delta {DELTA:g}, seeds: {num_seeds}; accuracy is the "
        f"evaluator's, in per cent, the mean of the last {LAST} rounds. Epsilon is that of a "
        "node that is in every round: that most are not is not counted. *Guaranteed* reckons "
        f"with the {here.honest} honest nodes of the smallest sum that is allowed "
        f"({here.minimum} nodes, {here.colluders} of them colluding), *realised* with all honest "
        "ones that were there. The last column is how far the masked federation is from central "
        "noise, in points: of the same realised epsilon, and of the guaranteed one."
    )


def _dp(mechanism: str, noise: float) -> str:
    return f'[dp]\nmechanism = "{mechanism}"\nnoise = {noise:.6f}\ndelta = {DELTA}\n'


def _score(curve: Curve) -> float:
    return statistics.mean(curve.scores[-LAST:])


def _said(scores: list[float]) -> str:
    spread = f" ({100 * min(scores):.1f} to {100 * max(scores):.1f})" if len(scores) > 1 else ""
    return f"{100 * statistics.mean(scores):.1f}{spread}"


def _gap(ours: list[float], other: list[float]) -> str:
    return f"{100 * (statistics.mean(ours) - statistics.mean(other)):+.1f}"


if __name__ == "__main__":
    main("privacy", __doc__, measure)
