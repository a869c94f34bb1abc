"""Stratified selection: so many of each group, where groups are what nodes declare of themselves.

Neyman, "On the Two Different Aspects of the Representative Method", J. Royal Stat. Soc. 1934:
sampling within groups gives estimates of less variance than sampling from all. For rounds: Cho et
al. and Fraboni et al., "Clustered Sampling", ICML 2021. Nodes without the attribute are a group
of their own. Trap: a declaration is not proven; whoever wants to be picked more often declares
what few do, which `of = "each"` rewards most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fedtui.selection.base import Candidate, Selection, some

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np


@dataclass(frozen=True, slots=True)
class Stratified(Selection):
    """Groups are the values of the attribute `by`.

    `of` is "present": each group has its share of those present, or "each": all groups have the
    same, as long as they have nodes.
    """

    by: str = "group"
    of: Literal["present", "each"] = "present"

    def __post_init__(self) -> None:
        if not self.by:
            raise ValueError("by is empty, expected the name of what nodes declare")
        if self.of not in {"present", "each"}:
            raise ValueError(f"of is {self.of!r}, expected 'present' or 'each'")

    @property
    def attribute(self) -> str:
        return self.by

    def pick(
        self,
        present: Sequence[Candidate],
        size: int,
        rng: np.random.Generator,
        number: int,  # noqa: ARG002 - every round is like the others
    ) -> frozenset[bytes]:
        groups: dict[str, list[bytes]] = {}
        for one in present:
            groups.setdefault(one.declared.get(self.by, ""), []).append(one.node)
        members = [groups[name] for name in sorted(groups)]
        lots = rng.permutation(len(members)).tolist()  # who gets what cannot be divided
        sizes = [len(group) for group in members]
        of_each = _equal if self.of == "each" else _proportional
        taken = of_each(sizes, min(size, len(present)), lots)
        return frozenset(
            node
            for group, num in zip(members, taken, strict=True)
            for node in some(group, num, rng)
        )


def _proportional(sizes: list[int], num: int, lots: list[int]) -> list[int]:
    """Largest remainders: each group has its share of `num`, to within one."""
    if not sizes:
        return []
    total = sum(sizes)
    taken = [num * size // total for size in sizes]
    order = sorted(range(len(sizes)), key=lambda at: (-(num * sizes[at] % total), lots[at]))
    for at in order[: num - sum(taken)]:
        taken[at] += 1
    return taken


def _equal(sizes: list[int], num: int, lots: list[int]) -> list[int]:
    """One after the other, group by group, as long as a group has nodes."""
    taken = [0] * len(sizes)
    order = sorted(range(len(sizes)), key=lambda at: lots[at])
    while num:
        for at in order:
            if num and taken[at] < sizes[at]:
                taken[at] += 1
                num -= 1
    return taken


build = Stratified
