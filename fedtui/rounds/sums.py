"""Sums that nodes report: which of them are believed, and how they add up.

Sums arrive in the clear from anybody. Only the names that are expected count, only finite numbers
of a sane size, and all of a node's sums or none: so a node can spoil a figure by lying about its
own examples, but not break the arithmetic, nor make a message or a record grow.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from fedtui.learning.metrics import possible, sums_for

TRAINING = ("loss_sum", "examples")
MAX_SUM = 1e100
MAX_EXAMPLES = 2**40
MAX_SCALAR = 2.0**38


def total(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Add sums by name; exactly rounded, so the order in which they arrived leaves no trace."""
    columns: dict[str, list[float]] = {}
    for part in parts:
        for name, value in part.items():
            columns.setdefault(name, []).append(value)
    return {name: math.fsum(columns[name]) for name in sorted(columns)}


def training_sums(sums: Mapping[str, float]) -> dict[str, float]:
    """What of an update's sums is shown to others; empty unless complete and sane."""
    if any(name not in sums for name in TRAINING):
        return {}
    kept = {name: sums[name] for name in TRAINING}
    return kept if _sane(kept) and kept["examples"] >= 0 else {}


def strategy_scalars(names: Sequence[str], sums: Mapping[str, float]) -> dict[str, float] | None:
    """What an update says for its strategy: positive numbers; None unless it says them all."""
    if any(name not in sums for name in names):
        return None
    kept = {name: float(sums[name]) for name in names}
    return kept if all(0 < value <= MAX_SCALAR for value in kept.values()) else None


def measured_sums(metric: str, sums: Mapping[str, float]) -> dict[str, float]:
    """The sums that the metric needs; empty unless they could come from real examples."""
    names = sums_for(metric)
    if any(name not in sums for name in names):
        return {}
    kept = {name: sums[name] for name in names}
    return kept if _sane(kept) and possible(metric, kept) else {}


def finite(sums: Mapping[str, float]) -> bool:
    """Whether every sum is a number that may travel."""
    return all(abs(value) <= MAX_SUM for value in sums.values())


def _sane(sums: Mapping[str, float]) -> bool:
    return finite(sums) and sums["examples"] <= MAX_EXAMPLES
