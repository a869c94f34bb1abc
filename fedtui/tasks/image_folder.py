"""Images of the operator's own: a folder for each class, by a small convolutional network.

The plan lists the classes, so that all nodes number them alike; each node's `--data` is a folder
with a folder of images for each class that it has. For example, in plan.toml:

    [task]
    name = "image_folder"
    metric = "balanced_accuracy"
    [task.options]
    classes = ["healthy", "rust", "blight"]
    size = 32

Images of any size and kind are cut to a square and scaled to `size` pixels a side, with
`channels` 1 (grey) or 3 (colours). `fedtui predict` takes an image, or a folder of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from fedtui.learning.data import own_path
from fedtui.learning.imagefiles import read_classes, read_plain
from fedtui.learning.objectives import Classification
from fedtui.learning.optionchecks import is_texts

if TYPE_CHECKING:
    from fedtui.learning.data import Array, DataSource, Examples

_POOLED = 4  # a side of what the last layers see


class ImageFolder(Classification):
    """`classes` are the names of the folders; `width` is the number of filters to begin with."""

    def __init__(
        self, classes: list[str], size: int = 32, channels: int = 3, width: int = 16
    ) -> None:
        if not is_texts(classes):
            raise TypeError(
                f'classes is a list of folder names such as ["cat", "dog"], not {classes!r}'
            )
        if len(set(classes)) != len(classes) or not 2 <= len(classes) <= 1000:
            raise ValueError("classes lists 2 to 1000 different names")
        wrong = [c for c in classes if not c or c.startswith(".") or "/" in c or "\\" in c]
        if wrong:
            raise ValueError(f"the class {wrong[0]!r} cannot be the name of a folder")
        if type(size) is not int or not 8 <= size <= 512:
            raise ValueError(f"size is {size!r}, expected 8 to 512 pixels")
        if channels not in {1, 3}:
            raise ValueError(f"channels is {channels!r}, expected 1 (grey) or 3 (colours)")
        if type(width) is not int or not 1 <= width <= 256:
            raise ValueError(f"width is {width!r}, expected 1 to 256")
        self.labels = tuple(classes)
        self._size = size
        self._channels = channels
        self._width = width

    def model(self) -> nn.Module:
        width = self._width
        return nn.Sequential(
            nn.Conv2d(self._channels, width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(_POOLED),
            nn.Flatten(),
            nn.Linear(2 * width * _POOLED**2, 64),
            nn.ReLU(),
            nn.Linear(64, len(self.labels)),
        )

    def data(self, source: DataSource) -> Examples:
        return read_classes(
            own_path(source),
            self.labels,
            size=self._size,
            channels=self._channels,
            part=source.part,
        )

    def prepare(self, x: Array) -> Array:
        """Pixels of 0 to 255 become -1 to 1."""
        return x.astype(np.float32) / np.float32(127.5) - np.float32(1)

    def inputs(self, source: DataSource) -> Array:
        return read_plain(own_path(source), size=self._size, channels=self._channels)


build = ImageFolder
