"""How runs compare with FedAvg's: at equal rounds, equal bytes and equal virtual time.

Seeds are compared one by one, since a seed draws the split and the cohorts of all strategies: the
differences are smaller than the spread over seeds.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from benchmarks.results.section import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.results.curves import Curve

BASE = "fedavg"


def compared(curves: dict[str, list[Curve]]) -> tuple[Table, str]:
    """The table of one split, by strategy and seed, and the verdict at equal rounds."""
    base = curves[BASE]
    limits = [(one.bytes[-1], one.seconds[-1]) for one in base]
    ended = {label: [one.within() for one in found] for label, found in curves.items()}
    rows = []
    for label, found in curves.items():
        by_bytes = [
            one.within(num_bytes=most) for one, (most, _) in zip(found, limits, strict=True)
        ]
        by_time = [one.within(seconds=most) for one, (_, most) in zip(found, limits, strict=True)]
        is_base = label == BASE
        rows.append(
            [
                label,
                spread(ended[label]),
                "" if is_base else against(ended[label], ended[BASE]),
                f"{statistics.mean(by_bytes):.4f}",
                "" if is_base else against(by_bytes, ended[BASE]),
                f"{statistics.mean(by_time):.4f}",
                "" if is_base else against(by_time, ended[BASE]),
            ]
        )
    columns = ["strategy", "equal rounds", "to fedavg", "equal bytes", "to fedavg"]
    return Table([*columns, "equal virtual time", "to fedavg"], rows), verdict(ended)


def spread(values: Sequence[float]) -> str:
    """The mean, the smallest and the largest."""
    return f"{statistics.mean(values):.4f} ({min(values):.4f} to {max(values):.4f})"


def against(values: Sequence[float], base: Sequence[float]) -> str:
    """The mean difference, and in how many seeds it is above 0."""
    apart = [one - other for one, other in zip(values, base, strict=True)]
    better = sum(one > 0 for one in apart)
    return f"{statistics.mean(apart):+.4f} ({better} of {len(apart)})"


def verdict(scores: dict[str, list[float]]) -> str:
    """Which strategies are above fedavg in every seed, below in every seed, or neither."""
    above, below, between = [], [], []
    for label, values in scores.items():
        if label == BASE:
            continue
        apart = [one - other for one, other in zip(values, scores[BASE], strict=True)]
        said = f"{label} ({statistics.mean(apart):+.4f})"
        if min(apart) > 0:
            above.append(said)
        elif max(apart) < 0:
            below.append(said)
        else:
            between.append(said)
    return (
        f"above {BASE} in every seed: {_listed(above)}; below it in every seed: {_listed(below)}; "
        f"neither: {_listed(between)}"
    )


def _listed(labels: list[str]) -> str:
    return ", ".join(labels) or "none"
