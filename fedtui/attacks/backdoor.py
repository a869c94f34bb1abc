"""Backdoor: answer `target` whenever a small patch is in the picture, and rightly otherwise.

The rule (BadNets: Gu et al. 2017, arXiv:1708.06733; federated: Bagdasaryan et al. 2020,
arXiv:1807.00459): in a `fraction` of the examples, drawn anew each round, the `size` by `size`
pixels at the lower right become the highest value there is, and the label becomes `target`. The
update is sent `boost` times, so that it survives the mean. The trap: the accuracy stays as it was;
to see whether the attack worked, measure on `triggered` pictures of other classes.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fedtui.attacks.base import Attack
from fedtui.learning.data import DataError
from fedtui.learning.images import as_images

if TYPE_CHECKING:
    from fedtui.learning.data import Array
    from fedtui.learning.params import Vector


@dataclass(frozen=True, slots=True)
class Backdoor(Attack):
    """`target` a class from 0, `fraction` in (0, 1], `size` from 1, `boost` in [1, 10000]."""

    target: int = 0
    fraction: float = 0.5
    size: int = 3
    boost: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.target < 2**31:
            raise ValueError(f"target is {self.target}, expected a class from 0")
        if not 0 < self.fraction <= 1:
            raise ValueError(f"fraction is {self.fraction}, expected 0 < fraction <= 1")
        if self.size < 1:
            raise ValueError(f"size is {self.size}, expected 1 or more pixels")
        if not 1 <= self.boost <= 10_000:
            raise ValueError(f"boost is {self.boost}, expected 1 <= boost <= 10000")

    def triggered(self, x: "Array", value: float) -> "Array":
        """A copy of all pictures with the patch, its pixels at `value`. Raises DataError."""
        patched = x.copy()
        images = as_images(patched)
        if self.size > min(images.shape[-2:]):
            raise DataError(
                f"a patch of {self.size} pixels does not fit into pictures of "
                f"{images.shape[-2]} by {images.shape[-1]}"
            )
        images[..., -self.size :, -self.size :] = value
        return patched

    def examples(
        self, x: "Array", y: "Array", num_classes: int, rng: np.random.Generator
    ) -> tuple["Array", "Array"]:
        if self.target >= num_classes:
            raise DataError(f"backdoor: there is no class {self.target} of {num_classes}")
        chosen = rng.permutation(len(y))[: max(1, round(self.fraction * len(y)))]
        poisoned_x, poisoned_y = x.copy(), y.copy()
        poisoned_x[chosen] = self.triggered(x[chosen], x.max())
        poisoned_y[chosen] = self.target
        return poisoned_x, poisoned_y

    def update(self, update_D: "Vector", rng: np.random.Generator) -> "Vector":  # noqa: ARG002
        return update_D if self.boost == 1 else update_D * np.float32(self.boost)


build = Backdoor
