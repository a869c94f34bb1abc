"""Gradient inversion: from what a node sent back to the pictures that it trained on.

`analytic` reads them off a first layer that is fully connected with bias: the gradient of row i
is g_i x and that of its bias g_i, so their quotient is the input, exactly, wherever only one
example of the batch moves the row (Phong et al. 2018; Geiping et al., arXiv:2003.14053, section 3;
Boenisch et al., arXiv:2112.02918, for batches). Rows that agree tell such a row from a mixture.

`optimised` searches pictures whose gradient points where the update does: cosine distance and
total variation, Adam on signs of gradients ("Inverting Gradients", Geiping et al. 2020). It needs
nothing of the model but gradients, and is given the labels, as a strong attacker would guess them.

Shapes: `gradient_D` float64 of D values, in manifest order; inputs come as float32 (k, ...), as
the model eats them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from fedtui.learning.task import Batch

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    from fedtui.learning.data import Array
    from fedtui.learning.flat import FlatModel
    from fedtui.learning.params import Manifest
    from fedtui.learning.task import Task

    Gradient = npt.NDArray[np.float64]

_SAME = 0.999  # the cosine from which two rows' quotients are one input
_LOUD = 1e-7  # of the largest bias gradient: below, quotients are rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What `optimised` looks with; the step size is in ranges of an input."""

    steps: int = 600
    restarts: int = 1
    step_size: float = 0.1
    variation: float = 1e-3


def first_layer(manifest: Manifest, num_inputs: int) -> tuple[slice, slice] | None:
    """Where weight and bias of a fully connected first layer lie; None if there is no such."""
    slices = list(manifest.slices())[:2]
    if len(slices) < 2:
        return None
    (weight, place), (bias, beside) = slices
    if len(weight.shape) != 2 or weight.shape[1] != num_inputs:
        return None
    return (place, beside) if bias.shape == weight.shape[:1] else None


def analytic(
    gradient_D: Gradient, layer: tuple[slice, slice], num_inputs: int, most: int
) -> npt.NDArray[np.float64]:
    """At most so many inputs of the first layer, (k, num_inputs), the surest first; may be none.

    `layer` is that of `first_layer`. Where no two rows agree there is noise or a mixture; then the
    one input that explains all rows best is the guess.
    """
    weight, bias = (gradient_D[place] for place in layer)
    rows = weight.reshape(-1, num_inputs)
    loud = np.abs(bias) > _LOUD * np.abs(bias).max(initial=0)
    if not loud.any():
        return np.empty((0, num_inputs))
    quotients, weights = rows[loud] / bias[loud, None], bias[loud] ** 2
    found = _agreeing(quotients, weights)[:most]
    if not found:
        found = [weights @ quotients / weights.sum()]
    return np.stack(found)


def _agreeing(quotients: npt.NDArray[np.float64], weights: Gradient) -> list[Gradient]:
    """The means of groups of two rows and more that are one input, the largest groups first."""
    lengths = np.linalg.norm(quotients, axis=1)
    directions = quotients / np.maximum(lengths, 1e-30)[:, None]
    near = (directions @ directions.T > _SAME) & (
        np.abs(lengths[:, None] - lengths) <= 0.05 * np.maximum(lengths[:, None], lengths)
    )
    left = np.ones(len(quotients), bool)
    groups = []
    for row in np.argsort(-near.sum(1), kind="stable"):
        group = near[row] & left
        if left[row] and group.sum() >= 2:
            groups.append((int(group.sum()), np.flatnonzero(group)))
            left &= ~group
    groups.sort(key=lambda one: -one[0])
    return [weights[g] @ quotients[g] / weights[g].sum() for _, g in groups]


def optimised(  # noqa: PLR0913 - what an attacker knows
    task: Task,
    model: FlatModel,
    gradient_D: Gradient,
    labels: Array,
    box: tuple[Array, Array],
    *,
    search: Search,
    seed: int,
) -> Array:
    """One input for each label, (k, ...): those whose gradient is the most alike.

    `box` has the least and the largest input, each of the shape of one input.
    """
    rng = torch.Generator().manual_seed(seed)
    wanted = torch.from_numpy((gradient_D / (np.linalg.norm(gradient_D) or 1)).astype(np.float32))
    low, high = (torch.from_numpy(np.asarray(edge, np.float32)) for edge in box)
    y = torch.from_numpy(np.asarray(labels))
    best, least = torch.empty(0), math.inf
    for _ in range(search.restarts):
        start = torch.rand((len(labels), *low.shape), generator=rng) * (high - low) + low
        found, distance = _searched(task, model, wanted, (start, y), (low, high), search)
        if best.numel() == 0 or distance < least:
            best, least = found, distance
    answer: Array = best.numpy()
    return answer


def _searched(
    task: Task,
    model: FlatModel,
    wanted: Tensor,
    start: tuple[Tensor, Tensor],
    box: tuple[Tensor, Tensor],
    search: Search,
) -> tuple[Tensor, float]:
    """The end of one descent, and its distance without the variation."""
    x, y = start[0].clone(), start[1]
    mean, square = torch.zeros_like(x), torch.zeros_like(x)
    scale = (box[1] - box[0]).mean()
    parameters = [p for p in model.module.parameters() if p.requires_grad]
    distance = math.inf
    for step in range(1, search.steps + 1):
        x.requires_grad_()
        loss = task.loss(model.module, Batch(x, y))
        grads = torch.autograd.grad(loss, parameters, create_graph=True)
        flat = torch.cat([grad.reshape(-1) for grad in grads])
        apart = 1 - (flat @ wanted) / (flat.norm() + 1e-12)
        (slope,) = torch.autograd.grad(apart + search.variation * _variation(x / scale), x)
        distance = float(apart.item())
        with torch.no_grad():
            sign = slope.sign()
            mean = 0.9 * mean + 0.1 * sign
            square = 0.999 * square + 0.001 * sign * sign
            length = search.step_size * scale * 0.1 ** _drops(step, search.steps)
            move = mean / (1 - 0.9**step) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)
            x = torch.clamp(x.detach() - length * move, box[0], box[1])
    return x.detach(), distance


def _drops(step: int, steps: int) -> int:
    """How many tenths the step size has lost: at 3/8, 5/8 and 7/8 of the way, as in the paper."""
    return sum(8 * step > part * steps for part in (3, 5, 7))


def _variation(x: Tensor) -> Tensor:
    """Mean absolute difference of neighbours; of flat inputs, as the square picture they are."""
    side = math.isqrt(x[0].numel())
    pictures = x if x.ndim > 2 else x.reshape(len(x), side, side)
    down = (pictures[..., 1:, :] - pictures[..., :-1, :]).abs().mean()
    across = (pictures[..., :, 1:] - pictures[..., :, :-1]).abs().mean()
    return down + across
