"""NumPy archives of the operator's own: any array of numbers in, a class, labels or a number out.

`--data` is a .npz file with the arrays `x` and `y` (np.savez(path, x=x, y=y)). The plan says the
shape of one input, and what is learned. For example, in plan.toml:

    [task]
    name = "arrays"
    metric = "macro_f1"
    [task.options]
    shape = [12, 500]
    labels = ["atrial fibrillation", "left bundle branch block"]

    classes = ["a", "b"]    `y` holds class numbers 0, 1, ...
    labels = ["a", "b"]     `y` is (n, labels) of 0 and 1: any number of them at once
    neither                 `y` holds one number for each example: a regression

`mean` and `spread` scale inputs, and `target_mean` and `target_spread` what a regression learns:
they must be common knowledge, as nodes do not tell each other theirs. `fedtui predict` takes a
.npz with `x`, or a .npy file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import nn
from torch.nn import functional

from fedtui.learning.archives import read_examples, read_inputs
from fedtui.learning.data import DataError, Examples, own_path
from fedtui.learning.objectives import Classification, MultiLabel, Objective, Regression
from fedtui.learning.optionchecks import is_texts, is_whole_numbers

if TYPE_CHECKING:
    from torch import Tensor

    from fedtui.learning.data import Array, DataSource
    from fedtui.learning.task import Batch

_X, _Y = "x", "y"
_MAX_VALUES = 2**24


@dataclass(frozen=True, slots=True)
class _Form:
    """What all kinds share: the inputs' shape and scale, and the network's widths."""

    shape: tuple[int, ...]
    hidden: tuple[int, ...]
    mean: float
    spread: float

    def network(self, num_outputs: int) -> nn.Sequential:
        width = math.prod(self.shape)
        layers: list[nn.Module] = [nn.Flatten()]
        for size in self.hidden:
            layers += [nn.Linear(width, size), nn.ReLU()]
            width = size
        return nn.Sequential(*layers, nn.Linear(width, num_outputs))

    def examples(self, source: DataSource) -> Examples:
        return read_examples(own_path(source), (_X, _Y), self.shape)


class _OfArrays(Objective):
    """The part of each kind that reads and scales."""

    form: _Form

    def prepare(self, x: Array) -> Array:
        scaled: Array = (x.astype(np.float32) - self.form.mean) / self.form.spread
        return scaled.astype(np.float32, copy=False)

    def inputs(self, source: DataSource) -> Array:
        return read_inputs(own_path(source), _X, self.form.shape)


class _Classes(_OfArrays, Classification):
    """One class per example."""

    def __init__(self, form: _Form, classes: tuple[str, ...]) -> None:
        self.form = form
        self.labels = classes

    def model(self) -> nn.Module:
        return self.form.network(len(self.labels))

    def data(self, source: DataSource) -> Examples:
        found = self.form.examples(source)
        whole = found.y.astype(np.int64)
        if found.y.ndim != 1 or (whole != found.y).any():
            raise DataError(
                f"{source.path}: {_Y!r} is {found.y.dtype} of shape {found.y.shape}, expected one "
                "whole number per example, the number of its class"
            )
        return Examples(found.x, whole)


class _Labels(_OfArrays, MultiLabel):
    """Any number of labels per example."""

    def __init__(self, form: _Form, labels: tuple[str, ...]) -> None:
        self.form = form
        self.labels = labels

    def model(self) -> nn.Module:
        return self.form.network(len(self.labels))

    def data(self, source: DataSource) -> Examples:
        found = self.form.examples(source)
        return Examples(found.x, found.y.astype(np.float32))


class _Number(_OfArrays, Regression):
    """One number per example; the loss is in units of its spread, the metric in its own."""

    def __init__(self, form: _Form, mean: float, spread: float) -> None:
        self.form = form
        self._mean = mean
        self._spread = spread

    def model(self) -> nn.Module:
        return nn.Sequential(self.form.network(1), _Rescale(self._mean, self._spread))

    def data(self, source: DataSource) -> Examples:
        found = self.form.examples(source)
        y = found.y.astype(np.float32)
        return Examples(found.x, y.reshape(len(y)) if y.shape[1:] == (1,) else y)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        return functional.mse_loss(
            self._answers(model, batch) / self._spread, batch.y / self._spread
        )


class _Rescale(nn.Module):
    """From the network's unit scale to the target's own units. It has no parameters."""

    def __init__(self, mean: float, spread: float) -> None:
        super().__init__()
        self._mean = mean
        self._spread = spread

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(-1) * self._spread + self._mean


def build(  # noqa: PLR0913 - the options of a plan
    shape: list[int],
    classes: list[str] | None = None,
    labels: list[str] | None = None,
    hidden: list[int] | None = None,
    *,
    mean: float = 0.0,
    spread: float = 1.0,
    target_mean: float = 0.0,
    target_spread: float = 1.0,
) -> Objective:
    """A task of one of three kinds (see above); `hidden` are the layers' widths.

    Raises:
        TypeError, ValueError: options that do not fit; a plan can say anything here.
    """
    sizes = _sizes("shape", shape, 8, 1_000_000)
    if not sizes or math.prod(sizes) > _MAX_VALUES:
        raise ValueError(f"shape is {shape}: expected 1 to {_MAX_VALUES:,} numbers for one input")
    widths = _sizes("hidden", [64] if hidden is None else hidden, 8, 4096)
    for name, value in (("spread", spread), ("target_spread", target_spread)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name} is {value!r}, expected a number above 0")
    if not (math.isfinite(mean) and math.isfinite(target_mean)):
        raise ValueError("mean and target_mean are finite numbers")
    form = _Form(sizes, widths, mean, spread)
    if classes is not None and labels is not None:
        raise ValueError("give classes or labels, not both")
    if classes is not None:
        return _Classes(form, _names("classes", classes, 2))
    if labels is not None:
        return _Labels(form, _names("labels", labels, 1))
    return _Number(form, target_mean, target_spread)


def _sizes(name: str, found: list[int], most: int, largest: int) -> tuple[int, ...]:
    if not is_whole_numbers(found):
        raise TypeError(f"{name} is a list of whole numbers such as [64], not {found!r}")
    if len(found) > most or not all(1 <= one <= largest for one in found):
        raise ValueError(f"{name} lists up to {most} numbers from 1 to {largest}, not {found}")
    return tuple(found)


def _names(name: str, found: list[str], least: int) -> tuple[str, ...]:
    if not is_texts(found):
        raise TypeError(f'{name} is a list of names such as ["a", "b"], not {found!r}')
    if len(set(found)) != len(found) or len(found) < least or "" in found:
        raise ValueError(f"{name} lists {least} or more different names, not {found}")
    return tuple(found)
