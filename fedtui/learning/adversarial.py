"""Adversarial training: each batch is made as hard as a small change of its pictures makes it.

    fgsm   one step of `radius` along the sign of the loss's gradient (Goodfellow et al. 2015,
           arXiv:1412.6572)
    pgd    from a random place within `radius`, `steps` steps of 2.5 * radius / steps, each brought
           back within it (Madry et al. 2018, arXiv:1706.06083)

Changes are bounded per pixel (L-infinity), and no pixel leaves the range that the batch's pixels
have. The trap: accuracy on unchanged pictures falls, and a radius that people see is no longer a
small change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from fedtui.learning.data import DataError
from fedtui.learning.images import as_images
from fedtui.learning.result import TrainError
from fedtui.learning.task import Batch

if TYPE_CHECKING:
    from torch import Tensor, nn

    from fedtui.learning.data import Array
    from fedtui.learning.task import Task
    from fedtui.learning.training import Adversary

_FARTHER = 2.5  # as in Madry et al.: enough to cross the ball, whatever the number of steps


def check(x: Array) -> None:
    """Refuse prepared inputs that are no pictures. Raises TrainError."""
    try:
        as_images(x[:1])
    except DataError as error:
        raise TrainError(
            f"[training] adversary changes pictures a little, and {error}: leave it out"
        ) from error


def hardened(task: Task, module: nn.Module, batch: Batch, adversary: Adversary) -> Batch:
    """The same examples with the pictures changed; random places come from torch's seed.

    The module's own state, such as running means, stays as it is.
    """
    low, high = batch.x.min(), batch.x.max()
    radius = adversary.radius
    place, step, num_steps = batch.x, radius, 1
    if adversary.attack == "pgd":
        num_steps = adversary.steps
        step = _FARTHER * radius / num_steps
        place = batch.x + radius * (2 * torch.rand_like(batch.x) - 1)
    trains = module.training
    module.eval()
    try:
        for _ in range(num_steps):
            place = place.clamp(low, high) + step * _uphill(task, module, place, batch.y).sign()
            place = torch.minimum(torch.maximum(place, batch.x - radius), batch.x + radius)
    finally:
        module.train(trains)
    return Batch(place.clamp(low, high).detach(), batch.y)


def _uphill(task: Task, module: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The gradient of the loss by the pictures; that by the weights is left as it was."""
    pictures = x.detach().requires_grad_()
    (grad,) = torch.autograd.grad(task.loss(module, Batch(pictures, y)), pictures)
    return grad
