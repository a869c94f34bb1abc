"""Image files of a folder as arrays: one folder for each class, or none for what is predicted.

Pillow reads them: turned as their EXIF says, cut to a square about the middle, scaled to one size.
A file that is no image is named in the error, and so is a folder that is no class. A folder that
Hugging Face `datasets` saved has the columns `image` and `label` instead. Pillow is an extra of
its own, and only imported here.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from fedtui.learning import saveddata
from fedtui.learning.data import DataError, Examples

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from fedtui.learning.saveddata import Part

    Pixels = npt.NDArray[np.uint8]

ENDINGS = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm"}
)
_MODES = {1: "L", 3: "RGB"}
_MAX_BYTES = 2**33


def read_classes(
    folder: Path, classes: Sequence[str], *, size: int, channels: int, part: Part = "train"
) -> Examples:
    """Every image of `folder`/CLASS: uint8 of (n, channels, size, size), and int64 positions.

    Files are read in the order of their names, class by class. A class without a folder, or with
    an empty one, has no examples here: other nodes may have some. Hidden files are left out.
    `part` matters only to a folder that `datasets` saved, if it has several.

    Raises:
        DataError: a folder that is no class, a file that is no image, no image at all, too many,
            or Pillow is not installed.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder: name the one that has a folder for each class")
    if saveddata.is_saved(folder):
        return _saved(folder, classes, size, channels, part)
    there = sorted(f.name for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))
    strange = [name for name in there if name not in classes]
    if strange:
        raise DataError(
            f"{folder}: the folder {strange[0]!r} is none of the plan's classes, "
            f"{', '.join(classes)[:400]}: rename it, or move it away"
        )
    found = [(file, k) for k, name in enumerate(classes) for file in _files(folder / name)]
    if not found:
        raise DataError(
            f"{folder} has no images: put them into folders named {', '.join(classes)[:400]}"
        )
    x = _read([file for file, _ in found], size, channels)
    return Examples(x, np.array([k for _, k in found], np.int64))


def read_plain(path: Path, *, size: int, channels: int) -> Pixels:
    """One image, or those of a folder in the order of their names. DataError as above."""
    files = _files(path) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{path} has no images to predict from")
    return _read(files, size, channels)


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        f
        for f in folder.iterdir()
        if f.suffix.lower() in ENDINGS and not f.name.startswith(".") and f.is_file()
    )


def _saved(folder: Path, classes: Sequence[str], size: int, channels: int, part: Part) -> Examples:
    pillow = _pillow()
    columns = saveddata.read_columns(folder, ["image", "label"], part)
    places = {name: k for k, name in enumerate(classes)}
    strange = next(
        (row for row, label in enumerate(columns["label"]) if label not in places), None
    )
    if strange is not None:
        raise DataError(
            f"{folder}, row {strange} (counted from 0): the label "
            f"{str(columns['label'][strange])[:40]!r} is none of the plan's classes, "
            f"{', '.join(classes)[:400]}"
        )
    x = _empty(len(columns["image"]), size, channels)
    for row, image in enumerate(columns["image"]):
        if not isinstance(image, pillow.Image.Image):
            raise DataError(f"{folder}, row {row} (counted from 0): there is no image")
        x[row] = _square(pillow, image, size, channels)
    return Examples(x, np.array([places[label] for label in columns["label"]], np.int64))


def _read(files: Sequence[Path], size: int, channels: int) -> Pixels:
    x, pillow = _empty(len(files), size, channels), _pillow()
    for place, file in enumerate(files):
        x[place] = _pixels(pillow, file, size, channels)
    return x


def _empty(num: int, size: int, channels: int) -> Pixels:
    shape = (num, channels, size, size)
    if np.prod(shape, dtype=np.float64) > _MAX_BYTES:
        raise DataError(f"{num:,} images of {size} by {size} are too many for one node")
    return np.empty(shape, np.uint8)


def _pixels(pillow: Any, file: Path, size: int, channels: int) -> Pixels:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pillow.Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning)  # of odd metadata
            with pillow.Image.open(file) as image:
                return _square(pillow, image, size, channels)
    except (pillow.Image.DecompressionBombError, pillow.Image.DecompressionBombWarning) as error:
        raise DataError(f"{file} has too many pixels to be read: make it smaller") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:  # as Pillow's readers raise
        what = str(error).replace(repr(str(file)), "it")
        raise DataError(
            f"{file} is not an image that can be read ({what}): replace or remove it"
        ) from error


def _square(pillow: Any, image: Any, size: int, channels: int) -> Pixels:
    """Shape (channels, size, size)."""
    upright = pillow.ImageOps.exif_transpose(image).convert(_MODES[channels])
    pixels = np.asarray(pillow.ImageOps.fit(upright, (size, size)))
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def _pillow() -> Any:
    try:
        importlib.import_module("PIL.Image")
        importlib.import_module("PIL.ImageOps")
        return importlib.import_module("PIL")
    except ImportError as error:
        raise DataError("reading images needs Pillow: pip install 'fedtui[images]'") from error
