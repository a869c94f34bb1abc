"""From sums that add up over nodes to the figure people read.

A node never sends its accuracy, only sums over its own examples: they can be added, and masked,
without anybody knowing the parts. `score` turns the totals into a figure; it is pure arithmetic,
so the coordinator computes it without a task at hand. Every figure is therefore that of all
examples pooled, as scikit-learn computes it on them, and never a mean of the nodes' own figures:
on unequal data those are other numbers (a node with one class has no balanced accuracy).

All have `loss_sum` (summed loss) and `examples` (count); besides, for

    accuracy, perplexity   `correct` (count). In a language model every token is an example;
                           perplexity is exp of the mean loss.
    rmse, r2               `squared_error` (sum of (prediction - target)^2), `target_sum`,
                           `target_squares` (sum of target^2)
    balanced_accuracy      per class `actual_K` and `right_K` (counts): the mean of right / actual
                           over the classes that occur
    macro_f1               also `predicted_K`: the mean of 2 right / (actual + predicted) over the
                           classes that occur or were predicted
    auroc                  `positive_K` and `negative_K`: how many scores of positives and of
                           negatives fall into step K of log-odds, from -WIDEST on a quarter each.
                           Two in one step count half, as ties do. Of two classes the second is the
                           positive one; with more, and with several labels, every pair of example
                           and class is one case (scikit-learn's average="micro").
    calibration_error      per bin of confidence `confidence_K` (summed) and `right_K` (count): the
                           sum of |right - confidence| over examples (Guo et al. 2017,
                           arXiv:1706.04599, with 15 bins)

K counts from 0 and there are always as many sums, however many classes a task has: the plan, the
masks and the coordinator need not know. Classes are few: at most MAX_CLASSES.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_CLASSES = 64
NUM_STEPS = 96
NUM_BINS = 15
WIDEST = 12.0  # log-odds: scores beyond share the outermost step of `auroc`
_MOST_LOSS = 700.0  # e to this is a float


def _each(name: str, number: int) -> tuple[str, ...]:
    return tuple(f"{name}_{k}" for k in range(number))


_ACTUAL, _RIGHT, _PREDICTED = (_each(n, MAX_CLASSES) for n in ("actual", "right", "predicted"))
_POSITIVE, _NEGATIVE = (_each(n, NUM_STEPS) for n in ("positive", "negative"))
_CONFIDENCE, _RIGHT_IN_BIN = (_each(n, NUM_BINS) for n in ("confidence", "right"))

_LOSS = ("loss_sum", "examples")
_CLASSIFICATION = ("loss_sum", "correct", "examples")
_REGRESSION = ("loss_sum", "squared_error", "target_sum", "target_squares", "examples")
_SUMS: dict[str, tuple[str, ...]] = {
    "accuracy": _CLASSIFICATION,
    "loss": _LOSS,
    "rmse": _REGRESSION,
    "r2": _REGRESSION,
    "perplexity": _CLASSIFICATION,
    "balanced_accuracy": (*_LOSS, *_ACTUAL, *_RIGHT),
    "macro_f1": (*_LOSS, *_ACTUAL, *_RIGHT, *_PREDICTED),
    "auroc": (*_LOSS, *_POSITIVE, *_NEGATIVE),
    "calibration_error": (*_LOSS, *_CONFIDENCE, *_RIGHT_IN_BIN),
}
METRICS = tuple(_SUMS)  # what a plan may name
MAX_SUMS = max(map(len, _SUMS.values()))
_UPWARDS = {"accuracy", "r2", "balanced_accuracy", "macro_f1", "auroc"}


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


def said(metric: str) -> str:
    """The same for people: `actual_0 to actual_63` instead of all of them. ValueError as above."""
    found: list[str] = []
    names = sums_for(metric)
    for name in names:
        base, _, number = name.rpartition("_")
        if not number.isdecimal():
            found.append(name)
        elif number == "0":
            last = max(int(n[len(base) + 1 :]) for n in names if re.fullmatch(rf"{base}_\d+", n))
            found.append(f"{name} to {base}_{last}")
    return ", ".join(found)


def higher_is_better(metric: str) -> bool:
    """False for loss, rmse, perplexity and calibration_error. ValueError if unknown."""
    sums_for(metric)
    return metric in _UPWARDS


def reached(metric: str, value: float, target: float) -> bool:
    """Whether `value` is at least as good as `target`; NaN never is."""
    return value >= target if higher_is_better(metric) else value <= target


def possible(metric: str, sums: Mapping[str, float]) -> bool:
    """Whether the metric's sums, all there and finite, could come from one example or more."""
    examples = sums["examples"]
    if examples < 1 or examples != int(examples):
        return False
    counted = [sums[name] for name in sums_for(metric) if name not in _REGRESSION]
    most = examples * (MAX_CLASSES if metric == "auroc" else 1)
    if not all(0 <= value <= most for value in counted):
        return False
    if any(sums.get(name, 0) < 0 for name in ("squared_error", "target_squares")):
        return False
    if metric not in {"balanced_accuracy", "macro_f1"}:
        return True
    whole = _ACTUAL if metric == "balanced_accuracy" else (*_ACTUAL, *_PREDICTED)
    right = [sums[name] for name in _RIGHT] * (len(whole) // MAX_CLASSES)
    return all(part <= sums[name] for part, name in zip(right, whole, strict=True))


def score(metric: str, sums: Mapping[str, float]) -> float:
    """The metric over all examples behind `sums`; NaN when there are none that it can judge.

    Raises:
        ValueError: unknown metric, or a sum that it needs is missing.
    """
    for name in sums_for(metric):
        if name not in sums:
            raise ValueError(f"metric {metric!r} needs the sum {name!r}")
    if not sums["examples"] > 0:
        return math.nan
    match metric:
        case "accuracy" | "loss":
            return sums["correct" if metric == "accuracy" else "loss_sum"] / sums["examples"]
        case "perplexity":
            return math.exp(min(sums["loss_sum"] / sums["examples"], _MOST_LOSS))
        case "rmse" | "r2":
            return _regression(metric, sums)
        case "balanced_accuracy":
            return _mean_of_shares(_of(sums, _RIGHT), _of(sums, _ACTUAL))
        case "macro_f1":
            actual, predicted = _of(sums, _ACTUAL), _of(sums, _PREDICTED)
            both = [a + p for a, p in zip(actual, predicted, strict=True)]
            return _mean_of_shares([2 * right for right in _of(sums, _RIGHT)], both)
        case "auroc":
            return _area(_of(sums, _POSITIVE), _of(sums, _NEGATIVE))
        case _:
            pairs = zip(_of(sums, _RIGHT_IN_BIN), _of(sums, _CONFIDENCE), strict=True)
            return math.fsum(abs(right - sure) for right, sure in pairs) / sums["examples"]


def add(left: Mapping[str, float], right: Mapping[str, float]) -> dict[str, float]:
    """Both sums together; a name that only one has counts as 0 in the other."""
    return {
        name: left.get(name, 0.0) + right.get(name, 0.0) for name in dict.fromkeys((*left, *right))
    }


def _of(sums: Mapping[str, float], names: Sequence[str]) -> list[float]:
    return [sums[name] for name in names]


def _regression(metric: str, sums: Mapping[str, float]) -> float:
    num_examples = sums["examples"]
    if metric == "rmse":
        return math.sqrt(max(0.0, sums["squared_error"] / num_examples))
    spread = sums["target_squares"] - sums["target_sum"] ** 2 / num_examples
    return 1.0 - sums["squared_error"] / spread if spread > 0 else math.nan


def _mean_of_shares(parts: Sequence[float], wholes: Sequence[float]) -> float:
    shares = [part / whole for part, whole in zip(parts, wholes, strict=True) if whole > 0]
    return math.fsum(shares) / len(shares) if shares else math.nan


def _area(positive: Sequence[float], negative: Sequence[float]) -> float:
    """How often a positive scores above a negative; in the same step, half."""
    pairs = math.fsum(positive) * math.fsum(negative)
    below, above = 0.0, 0.0
    for here, there in zip(positive, negative, strict=True):
        above += here * (below + there / 2)
        below += there
    return above / pairs if pairs > 0 else math.nan
