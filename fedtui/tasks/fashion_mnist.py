"""Fashion-MNIST: 60,000 training and 10,000 test images of clothes, 28x28 (Xiao et al. 2017).

Reads the four IDX files, gzipped or not, from the folder that the operator names or from where
Debian's package `dataset-fashion-mnist` puts them. Two models: `mlp` (784-200-10, 159,010
parameters) and `cnn` (two 3x3 convolutions, 80,602 parameters), those of the reference curves in
benchmarks/data/fashion-mnist.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from fedtui.learning.data import DataError, Examples, own_path, read_idx
from fedtui.learning.objectives import Classification

if TYPE_CHECKING:
    from fedtui.learning.data import Array, DataSource

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
_PREFIX = {"train": "train", "test": "t10k"}
_MEAN, _SPREAD = np.float32(0.2860), np.float32(0.3530)


class FashionMnist(Classification):
    """`kind` is `mlp` or `cnn`."""

    labels = (
        "t-shirt",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    )

    def __init__(self, model: str = "mlp") -> None:
        if model not in {"mlp", "cnn"}:
            raise ValueError(f"model is {model!r}, expected mlp or cnn")
        self._kind = model

    def model(self) -> nn.Module:
        if self._kind == "mlp":
            return nn.Sequential(nn.Flatten(), nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 10))
        return nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(1568, 48),
            nn.ReLU(),
            nn.Linear(48, 10),
        )

    def data(self, source: DataSource) -> Examples:
        """Raw bytes of shape (n, 1, 28, 28); the part says which of the two pairs of files."""
        folder = own_path(source) if source.path else DEBIAN_FOLDER
        prefix = _PREFIX[source.part]
        labels = read_idx(_find(folder, f"{prefix}-labels-idx1-ubyte"), 1)
        images = _images(_find(folder, f"{prefix}-images-idx3-ubyte"))
        if len(images) != len(labels):
            raise DataError(
                f"{folder} has {len(images)} images but {len(labels)} labels: get the files again"
            )
        if len(labels) and labels.max() > 9:
            raise DataError(f"{folder}: label {labels.max()} is not one of the ten classes")
        return Examples(images, labels.astype(np.int64))

    def prepare(self, x: Array) -> Array:
        return (x.astype(np.float32) / np.float32(255) - _MEAN) / _SPREAD

    def inputs(self, source: DataSource) -> Array:
        """The images of one IDX file."""
        return _images(own_path(source))


def _images(path: Path) -> Array:
    images = read_idx(path, 3)
    if images.shape[1:] != (28, 28):
        raise DataError(f"{path} holds images of {images.shape[1:]}, expected 28 by 28")
    return images[:, None]


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.exists():
            return path
    raise DataError(
        f"{folder} has no {name} or {name}.gz: name the folder that holds the four files, "
        "or on Debian and Ubuntu: apt-get install dataset-fashion-mnist"
    )


build = FashionMnist
