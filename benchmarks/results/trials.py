"""The plans in which strategies are compared: one world, and the ways to train in it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.results.curves import Curve, Kept

BAG_OF_WORDS = Path(__file__).parents[1] / "bag_of_words.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A strategy with its options.

    `learning_rate`, `weights` and `partial` say otherwise than the world does, if they are set.
    """

    strategy: str
    options: dict[str, float | str | list[str]] = field(default_factory=dict)
    learning_rate: float | None = None
    weights: str = ""
    partial: bool | None = None

    @property
    def text(self) -> str:
        """What makes it different from the world it is in, in words."""
        said = [f"{key} {value}" for key, value in self.options.items() if key != "population"]
        if self.learning_rate is not None:
            said.append(f"learning rate {self.learning_rate:g}")
        return ", ".join(said)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is trained, by whom, and for how long; `slow` is the part of nodes ten times slower.

    With `own_score` the score is that of the nodes' own held-out examples, else an evaluator's.
    With `partial`, slow nodes send what they have when the learned time is over; without it
    (False) they are left behind, and None waits for everybody.
    """

    task: str
    split: str
    nodes: int
    count: int
    rounds: int
    epochs: int = 1
    batch_size: int = 32
    learning_rate: float = 0.1
    weights: str = "equal"
    slow: float = 0.0
    partial: bool | None = None
    own_score: bool = False

    def plan(self, way: Way, seed: int) -> str:
        """plan.toml, with its population."""
        partial = self.partial if way.partial is None else way.partial
        options = ", ".join(f"{key} = {json.dumps(value)}" for key, value in way.options.items())
        own = self.task == BAG_OF_WORDS.stem
        pinned = (
            f'sha256 = "{hashlib.sha256(BAG_OF_WORDS.read_bytes()).hexdigest()}"' if own else ""
        )
        learned = "" if partial is None else f"learn = true\npartial = {json.dumps(partial)}"
        return f"""\
seed = {seed}
[federation]
name = "strategies"
[task]
name = "{self.task}"
{pinned}
[training]
epochs = {self.epochs}
batch_size = {self.batch_size}
learning_rate = {way.learning_rate or self.learning_rate}
[strategy]
name = "{way.strategy}"
options = {{ {options} }}
[selection]
count = {self.count}
minimum = {self.count if partial is None else 2}
[deadlines]
{learned}
[rounds]
maximum = {self.rounds}
start_with = {self.nodes}
[weights]
by = "{way.weights or self.weights}"
[evaluation]
with_evaluator = {json.dumps(not self.own_score)}
[privacy]
updates = "visible"
[population]
nodes = {self.nodes}
split = "{self.split}"
[population.speed]
examples_per_s = 500
spread = 0.3
slow = {self.slow}
[population.network]
up_mbit = 10
down_mbit = 50
"""

    def curve(self, kept: Kept, way: Way, seed: int) -> Curve:
        """What comes of it. Raises RunError."""
        own = self.task == BAG_OF_WORDS.stem
        return kept.curve(self.plan(way, seed), BAG_OF_WORDS if own else None)
