"""Tables of the operator's own: predict one column from others, by a small perceptron.

The plan names the columns and their types (fedtui/learning/table.py); each node's file, CSV or
Parquet, must have them. The type of the target decides: a category is classified, a number is
regressed. For example, in plan.toml:

    [task]
    name = "tabular"
    metric = "rmse"
    [task.options]
    target = "price"
    [task.options.columns]
    area = "number:80:30"
    heating = "category:gas|oil|pump"
    price = "number:250000:90000"

The given mean and spread must come from common knowledge: nodes do not tell each other theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import nn
from torch.nn import functional

from fedtui.learning.data import Examples, own_path
from fedtui.learning.objectives import Classification, Regression
from fedtui.learning.table import Column, parse_column, read_table

if TYPE_CHECKING:
    from torch import Tensor

    from fedtui.learning.data import Array, DataSource
    from fedtui.learning.task import Batch

_SHOWN = 40  # characters of a wrong option in an error


class _Rescale(nn.Module):
    """From the network's unit scale to the target's own units. It has no parameters."""

    def __init__(self, column: Column) -> None:
        super().__init__()
        self._column = column

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(-1) * self._column.spread + self._column.mean


class _Form:
    """What both kinds share: which columns, and how wide the network is."""

    def __init__(self, target: Column, features: list[Column], hidden: list[int]) -> None:
        self.target = target
        self.features = features
        self._hidden = hidden

    def network(self, num_outputs: int) -> nn.Sequential:
        width = sum(column.width for column in self.features)
        layers: list[nn.Module] = []
        for size in self._hidden:
            layers += [nn.Linear(width, size), nn.ReLU()]
            width = size
        return nn.Sequential(*layers, nn.Linear(width, num_outputs))

    def inputs(self, source: DataSource) -> Array:
        names = [column.name for column in self.features]
        return read_table(own_path(source), names).features(self.features)

    def examples(self, source: DataSource) -> Examples:
        names = [column.name for column in (*self.features, self.target)]
        table = read_table(own_path(source), names)
        x = table.features(self.features)
        if self.target.categories:
            return Examples(x, table.positions(self.target))
        return Examples(x, table.numbers(self.target).astype(np.float32))


class _Classify(Classification):
    """The target is a category."""

    def __init__(self, form: _Form) -> None:
        self._form = form
        self.labels = form.target.categories

    def model(self) -> nn.Module:
        return self._form.network(len(self.labels))

    def data(self, source: DataSource) -> Examples:
        return self._form.examples(source)

    def inputs(self, source: DataSource) -> Array:
        return self._form.inputs(source)


class _Regress(Regression):
    """The target is a number; the loss is in units of its spread, the metric in its own."""

    def __init__(self, form: _Form) -> None:
        self._form = form

    def model(self) -> nn.Module:
        return nn.Sequential(self._form.network(1), _Rescale(self._form.target))

    def data(self, source: DataSource) -> Examples:
        return self._form.examples(source)

    def inputs(self, source: DataSource) -> Array:
        return self._form.inputs(source)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        spread = self._form.target.spread
        return functional.mse_loss(model(batch.x) / spread, batch.y / spread)


def build(
    target: str, columns: dict[str, str], hidden: list[int] | None = None
) -> Classification | Regression:
    """A task that predicts `target` from the other `columns`; `hidden` are the layers' widths.

    Raises:
        TypeError: an argument of another type; a plan can say anything here.
        ValueError: a type that is not understood, or a target that no column describes.
    """
    _check_types(target, columns, hidden)
    parsed = [parse_column(name, text) for name, text in columns.items()]
    if target not in columns:
        raise ValueError(f"the target {target!r} is not among the columns {', '.join(columns)}")
    if len(parsed) < 2:
        raise ValueError("there must be a column besides the target")
    widths = [64] if hidden is None else hidden
    if len(widths) > 8 or not all(1 <= width <= 4096 for width in widths):
        raise ValueError("hidden lists up to 8 widths from 1 to 4096")
    features = [column for column in parsed if column.name != target]
    form = _Form(next(column for column in parsed if column.name == target), features, widths)
    return _Classify(form) if form.target.categories else _Regress(form)


def _check_types(target: object, columns: object, hidden: object) -> None:
    if not isinstance(target, str):
        raise TypeError(f"target is the name of a column, not {target!r}")
    if not isinstance(columns, dict):
        raise TypeError(
            f"columns is a table, not {str(columns)[:_SHOWN]!r}: under [task.options.columns] of "
            'plan.toml, write a line such as age = "number:50:20" for each column'
        )
    for name, text in columns.items():
        if not isinstance(text, str):
            raise TypeError(
                f'the type of column {name!r} is a text such as "number", not {text!r}'
            )
    if hidden is not None and not (
        isinstance(hidden, list) and all(type(width) is int for width in hidden)
    ):
        raise TypeError(f"hidden is a list of whole numbers such as [64], not {hidden!r}")
