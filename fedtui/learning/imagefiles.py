"""Image files of a folder as arrays: one folder for each class, or none for what is predicted.

Pillow reads them: turned as their EXIF says, cut to a square about the middle, scaled to one size.
A file that is no image is named in the error, and so is a folder that is no class. Pillow is an
extra of its own, and only imported here.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from fedtui.learning.data import DataError, Examples

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]

ENDINGS = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm"}
)
_MODES = {1: "L", 3: "RGB"}
_MAX_BYTES = 2**33


def read_classes(folder: Path, classes: Sequence[str], *, size: int, channels: int) -> Examples:
    """Every image of `folder`/CLASS: uint8 of (n, channels, size, size), and int64 positions.

    Files are read in the order of their names, class by class. A class without a folder, or with
    an empty one, has no examples here: other nodes may have some. Hidden files are left out.

    Raises:
        DataError: a folder that is no class, a file that is no image, no image at all, too many,
            or Pillow is not installed.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder: name the one that has a folder for each class")
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


def _read(files: Sequence[Path], size: int, channels: int) -> Pixels:
    shape = (len(files), channels, size, size)
    if np.prod(shape, dtype=np.float64) > _MAX_BYTES:
        raise DataError(f"{len(files):,} images of {size} by {size} are too many for one node")
    pillow = _pillow()
    x = np.empty(shape, np.uint8)
    for place, file in enumerate(files):
        pixels = _pixels(pillow, file, size, channels)
        x[place] = pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)
    return x


def _pixels(pillow: Any, file: Path, size: int, channels: int) -> Pixels:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pillow.Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning)  # of odd metadata
            with pillow.Image.open(file) as image:
                upright = pillow.ImageOps.exif_transpose(image).convert(_MODES[channels])
                return np.asarray(pillow.ImageOps.fit(upright, (size, size)))
    except (pillow.Image.DecompressionBombError, pillow.Image.DecompressionBombWarning) as error:
        raise DataError(f"{file} has too many pixels to be read: make it smaller") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:  # as Pillow's readers raise
        what = str(error).replace(repr(str(file)), "it")
        raise DataError(
            f"{file} is not an image that can be read ({what}): replace or remove it"
        ) from error


def _pillow() -> Any:
    try:
        importlib.import_module("PIL.Image")
        importlib.import_module("PIL.ImageOps")
        return importlib.import_module("PIL")
    except ImportError as error:
        raise DataError("reading images needs Pillow: pip install 'fedtui[images]'") from error
