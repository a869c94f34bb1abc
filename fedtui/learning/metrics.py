"""From sums that add up over nodes to the figure people read.

A node never sends its accuracy, only sums over its own examples: they can be added, and masked,
without anybody knowing the parts. `score` turns the totals into a figure; it is pure arithmetic,
so the coordinator computes it without a task at hand.

Classification sums: `loss_sum` (summed loss), `correct` (count), `examples` (count).
Regression sums: `loss_sum`, `squared_error` (sum of (prediction - target)^2), `target_sum`,
`target_squares` (sum of target^2), `examples`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_CLASSIFICATION = ("loss_sum", "correct", "examples")
_REGRESSION = ("loss_sum", "squared_error", "target_sum", "target_squares", "examples")
_SUMS = {
    "accuracy": _CLASSIFICATION,
    "loss": ("loss_sum", "examples"),
    "rmse": _REGRESSION,
    "r2": _REGRESSION,
}
METRICS = tuple(_SUMS)  # what a plan may name


def sums_for(metric: str) -> tuple[str, ...]:
    """Which sums leave a node for this metric, in the order in which they travel.

    Raises:
        ValueError: there is no such metric.
    """
    try:
        return _SUMS[metric]
    except KeyError:
        raise ValueError(
            f"there is no metric {metric!r}; there are {', '.join(METRICS)}"
        ) from None


def higher_is_better(metric: str) -> bool:
    """True for accuracy and r2, False for loss and rmse. ValueError if unknown."""
    sums_for(metric)
    return metric in {"accuracy", "r2"}


def reached(metric: str, value: float, target: float) -> bool:
    """Whether `value` is at least as good as `target`; NaN never is."""
    return value >= target if higher_is_better(metric) else value <= target


def score(metric: str, sums: Mapping[str, float]) -> float:
    """The metric over all examples behind `sums`; NaN when there are none.

    Raises:
        ValueError: unknown metric, or a sum that it needs is missing.
    """
    for name in sums_for(metric):
        if name not in sums:
            raise ValueError(f"metric {metric!r} needs the sum {name!r}")
    num_examples = sums["examples"]
    if not num_examples > 0:
        return math.nan
    if metric == "accuracy":
        return sums["correct"] / num_examples
    if metric == "loss":
        return sums["loss_sum"] / num_examples
    if metric == "rmse":
        return math.sqrt(max(0.0, sums["squared_error"] / num_examples))
    spread = sums["target_squares"] - sums["target_sum"] ** 2 / num_examples
    return 1.0 - sums["squared_error"] / spread if spread > 0 else math.nan


def add(left: Mapping[str, float], right: Mapping[str, float]) -> dict[str, float]:
    """Both sums together; a name that only one has counts as 0 in the other."""
    return {
        name: left.get(name, 0.0) + right.get(name, 0.0)
        for name in (*left, *(right.keys() - left.keys()))
    }
