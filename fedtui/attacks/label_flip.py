"""Label flip: learn wrong answers (Tolpegin et al. 2020, arXiv:2007.08432).

The rule: every label y of C becomes C - 1 - y (Fang et al. 2020, arXiv:1911.11815), or, with
`target`, each label `source` (any, if that is left out) becomes `target`. The update is honest
work on poisoned data, so it looks like one. The trap: with an odd C the middle class stays right,
and under a split with few classes a node may hold no example of `source`: then it is honest.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fedtui.attacks.base import Attack
from fedtui.learning.data import DataError

if TYPE_CHECKING:
    from fedtui.learning.data import Array


@dataclass(frozen=True, slots=True)
class LabelFlip(Attack):
    """`source` and `target` are classes from 0; see above for leaving them out."""

    source: int | None = None
    target: int | None = None

    def __post_init__(self) -> None:
        if self.source is not None and self.target is None:
            raise ValueError("source needs a target: say what its examples are called instead")
        if self.source == self.target and self.target is not None:
            raise ValueError(f"source and target are both {self.target}: nothing would change")
        for name, label in (("source", self.source), ("target", self.target)):
            if label is not None and not 0 <= label < 2**31:
                raise ValueError(f"{name} is {label}, expected a class from 0")

    def examples(
        self,
        x: "Array",
        y: "Array",
        num_classes: int,
        rng: np.random.Generator,  # noqa: ARG002
    ) -> tuple["Array", "Array"]:
        if num_classes < 2:
            raise DataError("label_flip needs classes: take another attack for a regression")
        if self.target is None:
            return x, (num_classes - 1 - y).astype(y.dtype)
        if max(self.target, self.source or 0) >= num_classes:
            raise DataError(f"label_flip names a class that the {num_classes} of the data lack")
        chosen = np.ones(len(y), bool) if self.source is None else y == self.source
        return x, np.where(chosen, self.target, y).astype(y.dtype)


build = LabelFlip
