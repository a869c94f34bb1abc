"""Handwritten digits: the 1,797 real 8x8 images that come with scikit-learn. Works offline.

The default task: small enough to train in seconds, real enough to fail when something is wrong.
The images are Alpaydin and Kaynak's (UCI, 1998). A fixed fifth of them, the same everywhere, is
the test part for an evaluator; the rest is the training part.

The file is read without importing scikit-learn, which would cost every trainer a second of CPU.
"""

from __future__ import annotations

import importlib.util
import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from fedtui.learning.data import DataError, Examples, own_path, read_bytes
from fedtui.learning.objectives import Classification

if TYPE_CHECKING:
    from fedtui.learning.data import Array, DataSource

_NUM_PIXELS = 64
_NUM_TEST = 360
_MEAN, _SPREAD = 0.3, 0.38  # of pixels scaled to 0..1; without it training is far slower


class Digits(Classification):
    """`model` is `mlp`, with one layer of `hidden` units, or `cnn`, with two 3x3 convolutions.

    The mlp reaches 95 % with four nodes in 3 to 6 rounds of one epoch (SGD, learning rate 0.1,
    momentum 0.9, batch 16), iid and Dirichlet(0.5) alike.
    """

    labels = tuple("0123456789")

    def __init__(self, model: str = "mlp", hidden: int = 64) -> None:
        if model not in {"mlp", "cnn"}:
            raise ValueError(f"model is {model!r}, expected mlp or cnn")
        if not 1 <= hidden <= 4096:
            raise ValueError(f"hidden is {hidden}, expected 1 to 4096")
        self._kind = model
        self._hidden = hidden

    def model(self) -> nn.Module:
        if self._kind == "mlp":
            return nn.Sequential(
                nn.Linear(_NUM_PIXELS, self._hidden), nn.ReLU(), nn.Linear(self._hidden, 10)
            )
        return nn.Sequential(
            nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(512, 10),
        )

    def data(self, source: DataSource) -> Examples:
        """The bundled digits, or the operator's own rows of 64 pixels (0 to 16) and a label."""
        if source.path:
            path = own_path(source)
            return _split(path, _rows(path, _NUM_PIXELS + 1))
        bundled = _bundled()
        table = _rows(bundled, _NUM_PIXELS + 1)
        order = np.random.default_rng(0).permutation(len(table))
        chosen = order[:_NUM_TEST] if source.part == "test" else order[_NUM_TEST:]
        return _split(bundled, table[np.sort(chosen)])

    def prepare(self, x: Array) -> Array:
        return ((x / 16.0 - _MEAN) / _SPREAD).astype(np.float32)

    def inputs(self, source: DataSource) -> Array:
        """Rows of 64 pixels; a 65th number, the label, is ignored."""
        path = own_path(source)
        table = _rows(path, None)
        if table.shape[1] not in {_NUM_PIXELS, _NUM_PIXELS + 1}:
            raise DataError(f"{path}: a row has {table.shape[1]} numbers, expected {_NUM_PIXELS}")
        return table[:, :_NUM_PIXELS]


def _bundled() -> Path:
    spec = importlib.util.find_spec("sklearn")
    folders = [] if spec is None else spec.submodule_search_locations or []
    for folder in folders:
        path = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if path.exists():
            return path
    raise DataError("scikit-learn with its digits is not installed: pip install scikit-learn")


def _rows(path: Path, num_columns: int | None) -> Array:
    try:
        text = read_bytes(path).decode()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "loadtxt: input contained no data")
            table = np.loadtxt(io.StringIO(text), delimiter=",", dtype=np.float64, ndmin=2)
    except ValueError as error:
        raise DataError(f"cannot read {path} as rows of numbers: {error}") from error
    if not len(table):
        raise DataError(f"{path} holds no rows of numbers")
    if num_columns is not None and table.shape[1] != num_columns:
        raise DataError(f"{path}: a row has {table.shape[1]} numbers, expected {num_columns}")
    return table


def _split(path: Path, table: Array) -> Examples:
    y = table[:, -1]
    wrong = np.flatnonzero(~np.isin(y, np.arange(10)))
    if len(wrong):
        raise DataError(
            f"{path}, row {wrong[0] + 1}: the last number is the label and must be 0 to 9, not "
            f"{y[wrong[0]]:g}"
        )
    return Examples(table[:, :-1], y.astype(np.int64))


build = Digits
