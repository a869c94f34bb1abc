"""Selection: what every file in this folder implements, and what it may know of a node.

A rule is pure: equal arguments give equal cohorts. What it knows of a node is what the coordinator
learned in rounds that were committed, and what the node's operator lets it declare; all of it
comes from the node, so whoever lies may be picked more often, or never. A rule says what it reads,
so that a plan under which nobody can know it is refused before the first round.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np


@dataclass(frozen=True, slots=True)
class Candidate:
    """One node that is present, and its part in the rounds committed so far.

    `num_picked` rounds had it in their cohort, `num_counted` its update in their sum. `last_round`
    is the newest that picked it (0: none), and `missed` whether it was not in that one's sum.
    `seconds` is how long its newest counted update took, from the offer to its arrival (under
    masks: until the node was ready); `num_examples` and `loss` are what it said of its training
    there, None under masks. `declared` is what its operator declares.
    """

    node: bytes
    num_picked: int = 0
    num_counted: int = 0
    last_round: int = 0
    missed: bool = False
    seconds: float | None = None
    num_examples: int | None = None
    loss: float | None = None
    declared: Mapping[str, str] = field(default_factory=dict)


class Selection(ABC):
    """Picks a cohort."""

    @abstractmethod
    def pick(
        self, present: Sequence[Candidate], size: int, rng: np.random.Generator, number: int
    ) -> frozenset[bytes]:
        """Choose `size` of those `present` (distinct, sorted by node) for round `number` (from 1).

        All if there are fewer. `rng` is the only chance: it follows from plan, round and attempt.
        """

    @property
    def over(self) -> float:
        """Nodes that are invited for each that is wanted, at least 1.

        Above 1 the round closes as soon as the wanted number answered; the others are let go.
        """
        return 1.0

    @property
    def attribute(self) -> str:
        """What nodes are asked to declare for this rule; empty: nothing."""
        return ""

    @property
    def reads_losses(self) -> bool:
        """Whether it needs single nodes' losses, which nobody sees under masks."""
        return False


def some(nodes: Sequence[bytes], num: int, rng: np.random.Generator) -> list[bytes]:
    """`num` of the nodes, every set of them equally likely; all if there are fewer."""
    if num >= len(nodes):
        return list(nodes)
    chosen = rng.choice(len(nodes), size=num, replace=False)
    return [nodes[int(index)] for index in chosen]
