"""A batch's answers as the sums of metrics.py: what is counted, and what of it is sent.

Needs torch, so only objectives import this. Shapes: b examples, K classes or labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from fedtui.learning import metrics

if TYPE_CHECKING:
    from torch import Tensor


def of_classes(metric: str, logits: Tensor, y: Tensor) -> dict[str, float]:
    """Sums over a batch with one class per example: `logits` (b, K), `y` int64 (b,).

    Raises:
        ValueError: more classes than the metric counts.
    """
    num_classes = logits.shape[1]
    answers = logits.argmax(1)
    right = answers == y
    found = {
        "loss_sum": float(functional.cross_entropy(logits, y, reduction="sum")),
        "correct": float(right.sum()),
        "examples": float(len(y)),
    }
    match metric:
        case "balanced_accuracy" | "macro_f1":
            counts = (_each_class(y), _each_class(y[right]), _each_class(answers))
            found |= _per_class(metric, num_classes, *counts)
        case "auroc":
            _check_classes(metric, num_classes)
            truth = functional.one_hot(y, num_classes).bool()
            if num_classes == 2:
                found |= _scores((logits[:, 1] - logits[:, 0]), truth[:, 1])
            else:
                sure = logits.double().log_softmax(1)
                # log p - log(1 - p); a p that rounds to 1 is in the highest step anyway
                found |= _scores(sure - torch.log1p(-sure.exp().clamp(max=1 - 1e-12)), truth)
        case "calibration_error":
            found |= _confidences(logits.softmax(1).amax(1), right)
        case _:
            pass
    return {name: found[name] for name in metrics.sums_for(metric)}


def of_labels(metric: str, logits: Tensor, y: Tensor) -> dict[str, float]:
    """Sums over a batch with any number of labels per example: both (b, K), `y` of 0 and 1.

    The loss of an example is the mean over its labels. Raises ValueError as `of_classes`.
    """
    loss = functional.binary_cross_entropy_with_logits(logits, y, reduction="sum")
    truth, answers = y > 0.5, logits > 0
    found = {"loss_sum": float(loss) / y.shape[1], "examples": float(len(y))}
    match metric:
        case "macro_f1":
            counts = (truth.sum(0), (truth & answers).sum(0), answers.sum(0))
            found |= _per_class(metric, y.shape[1], *counts)
        case "auroc":
            _check_classes(metric, y.shape[1])
            found |= _scores(logits, truth)
        case _:
            pass
    return {name: found[name] for name in metrics.sums_for(metric)}


def _check_classes(metric: str, num_classes: int) -> None:
    if num_classes > metrics.MAX_CLASSES:
        raise ValueError(
            f"{metric} counts at most {metrics.MAX_CLASSES} classes and there are {num_classes}: "
            "take the metric accuracy or loss"
        )


def _each_class(y: Tensor) -> Tensor:
    return torch.bincount(y, minlength=metrics.MAX_CLASSES)


def _per_class(
    metric: str, num_classes: int, actual: Tensor, right: Tensor, predicted: Tensor
) -> dict[str, float]:
    _check_classes(metric, num_classes)
    found: dict[str, float] = {}
    for name, counts in (("actual", actual), ("right", right), ("predicted", predicted)):
        found |= _named(name, counts, metrics.MAX_CLASSES)
    return found


def _scores(log_odds: Tensor, truth: Tensor) -> dict[str, float]:
    """NaN, which a spoilt model may give, is counted lowest."""
    low, high = -metrics.WIDEST, metrics.WIDEST
    places = torch.floor((log_odds.double() - low) * (metrics.NUM_STEPS / (high - low)))
    places = places.nan_to_num(0.0).clamp(0, metrics.NUM_STEPS - 1).long()
    found: dict[str, float] = {}
    for name, chosen in (("positive", truth), ("negative", ~truth)):
        counts = torch.bincount(places[chosen], minlength=metrics.NUM_STEPS)
        found |= _named(name, counts, metrics.NUM_STEPS)
    return found


def _confidences(confidence: Tensor, right: Tensor) -> dict[str, float]:
    """Bins are (k / 15, (k + 1) / 15], as in the paper."""
    places = (torch.ceil(confidence.double() * metrics.NUM_BINS) - 1).nan_to_num(0.0)
    places = places.clamp(0, metrics.NUM_BINS - 1).long()
    sure = torch.bincount(places, confidence.double(), minlength=metrics.NUM_BINS)
    hits = torch.bincount(places[right], minlength=metrics.NUM_BINS)
    return _named("confidence", sure, metrics.NUM_BINS) | _named("right", hits, metrics.NUM_BINS)


def _named(name: str, values: Tensor, number: int) -> dict[str, float]:
    found = [float(value) for value in values.tolist()]
    found += [0.0] * (number - len(found))
    return {f"{name}_{k}": value for k, value in enumerate(found)}
