"""Tables of the operator's own: predict one column from others, by a small perceptron.

The plan names the columns and their types (fedtui/learning/table.py); each node's file, CSV or
Parquet, must have them. The type of the target decides: a category is classified, a number is
regressed. With `targets`, several categories of two words each, every one of them is a label that
an example has (the second word) or has not. For example, in plan.toml:

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
from fedtui.learning.objectives import Classification, MultiLabel, Regression
from fedtui.learning.optionchecks import is_texts, is_whole_numbers
from fedtui.learning.table import parse_column, read_table

if TYPE_CHECKING:
    from torch import Tensor

    from fedtui.learning.data import Array, DataSource
    from fedtui.learning.objectives import Objective
    from fedtui.learning.table import Column, Table
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

    def __init__(self, targets: list[Column], features: list[Column], hidden: list[int]) -> None:
        self.targets = targets
        self.target = targets[0]
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
        return self._table(source, self.features).features(self.features)

    def table(self, source: DataSource) -> tuple[Table, Array]:
        """The table at the source, and the inputs in it."""
        table = self._table(source, [*self.features, *self.targets])
        return table, table.features(self.features)

    def _table(self, source: DataSource, columns: list[Column]) -> Table:
        names = [column.name for column in columns]
        return read_table(own_path(source), names, part=source.part)


class _Classify(Classification):
    """The target is a category."""

    def __init__(self, form: _Form) -> None:
        self._form = form
        self.labels = form.target.categories

    def model(self) -> nn.Module:
        return self._form.network(len(self.labels))

    def data(self, source: DataSource) -> Examples:
        table, x = self._form.table(source)
        return Examples(x, table.positions(self._form.target))

    def inputs(self, source: DataSource) -> Array:
        return self._form.inputs(source)


class _Label(MultiLabel):
    """Each target is a category of two words, and a label that an example has or has not."""

    def __init__(self, form: _Form) -> None:
        self._form = form
        self.labels = tuple(column.name for column in form.targets)

    def model(self) -> nn.Module:
        return self._form.network(len(self.labels))

    def data(self, source: DataSource) -> Examples:
        table, x = self._form.table(source)
        y = np.stack([table.positions(column) for column in self._form.targets], 1)
        return Examples(x, y.astype(np.float32))

    def inputs(self, source: DataSource) -> Array:
        return self._form.inputs(source)


class _Regress(Regression):
    """The target is a number; the loss is in units of its spread, the metric in its own."""

    def __init__(self, form: _Form) -> None:
        self._form = form

    def model(self) -> nn.Module:
        return nn.Sequential(self._form.network(1), _Rescale(self._form.target))

    def data(self, source: DataSource) -> Examples:
        table, x = self._form.table(source)
        return Examples(x, table.numbers(self._form.target).astype(np.float32))

    def inputs(self, source: DataSource) -> Array:
        return self._form.inputs(source)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        spread = self._form.target.spread
        return functional.mse_loss(self._answers(model, batch) / spread, batch.y / spread)


def build(
    target: str | None = None,
    columns: dict[str, str] | None = None,
    hidden: list[int] | None = None,
    *,
    targets: list[str] | None = None,
) -> Objective:
    """A task that predicts `target` from the other `columns`; `hidden` are the layers' widths.

    `targets` instead of `target` are several labels: categories of two words, no and yes.

    Raises:
        TypeError: an argument of another type; a plan can say anything here.
        ValueError: a type that is not understood, or a target that no column describes.
    """
    if (target is None) == (targets is None):
        raise ValueError("say the target column, or several targets, and not both")
    columns = {} if columns is None else columns
    wanted = [target] if target is not None else targets or []
    widths = [64] if hidden is None else hidden
    _check_types(wanted, columns, widths)
    parsed = {name: parse_column(name, text) for name, text in columns.items()}
    lacking = next((name for name in wanted if name not in columns), None)
    if lacking is not None:
        raise ValueError(f"the target {lacking!r} is not among the columns {', '.join(columns)}")
    if len(parsed) <= len(set(wanted)) or not wanted:
        raise ValueError("there must be a target, and a column besides the target")
    if len(widths) > 8 or not all(1 <= width <= 4096 for width in widths):
        raise ValueError("hidden lists up to 8 widths from 1 to 4096")
    features = [column for name, column in parsed.items() if name not in wanted]
    form = _Form([parsed[name] for name in dict.fromkeys(wanted)], features, widths)
    if targets is None:
        return _Classify(form) if form.target.categories else _Regress(form)
    wrong = next((column.name for column in form.targets if len(column.categories) != 2), None)
    if wrong is not None:
        raise ValueError(
            f'the target {wrong!r} is a label: its type must be like "category:no|yes"'
        )
    return _Label(form)


def _check_types(wanted: object, columns: object, hidden: object) -> None:
    if not is_texts(wanted):
        shown = wanted[0] if isinstance(wanted, list) and len(wanted) == 1 else wanted
        raise TypeError(f"target is the name of a column, not {shown!r}; targets lists several")
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
    if not is_whole_numbers(hidden):
        raise TypeError(f"hidden is a list of whole numbers such as [64], not {hidden!r}")
