"""NumPy archives of the operator's own: arrays `x` and `y` of one .npz file, as the plan says.

Arrays of Python objects are never loaded: they run as code. Every error is a `DataError` that
names the file, the array and what was expected.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from fedtui.learning.data import DataError, Examples

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fedtui.learning.data import Array

# What zipfile, zlib and NumPy raise for bytes that were spoilt.
_DAMAGED = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)


def read_examples(path: Path, names: tuple[str, str], shape: Sequence[int]) -> Examples:
    """Inputs, as numbers of (n, *shape), and targets of (n, ...), by the arrays' names.

    Raises:
        DataError: no such archive or array, or not what was expected.
    """
    x, y = _read(path, names)
    _check(path, names[0], x, shape)
    if y.ndim == 0 or y.dtype.kind not in "iufb":
        raise DataError(f"{path}: {names[1]!r} is {y.dtype} of shape {y.shape}, expected numbers")
    if len(x) != len(y):
        raise DataError(
            f"{path}: {names[0]!r} has {len(x)} rows and {names[1]!r} has {len(y)}: an example is "
            "one row of each"
        )
    return Examples(x, y)


def read_inputs(path: Path, name: str, shape: Sequence[int]) -> Array:
    """Inputs alone, from an archive or a .npy file. DataError as above."""
    x = _read(path, (name,))[0] if path.suffix == ".npz" else read_array(path)
    _check(path, name, x, shape)
    return x


def read_array(path: Path) -> Array:
    """The array of a .npy file, of whatever numbers. DataError names the file."""
    try:
        with path.open("rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except _DAMAGED as error:
        raise DataError(f"cannot read {path} as a .npy file of numbers: {error}") from error


def _read(path: Path, names: tuple[str, ...]) -> list[Array]:
    try:
        with path.open("rb") as file, _archive(file) as archive:
            there = archive.files
            found = [archive[name] for name in names if name in there]
    except _DAMAGED as error:
        raise DataError(f"cannot read {path} as a .npz file of numbers: {error}") from error
    for name in names:
        if name not in there:
            listed = ", ".join(there)[:400] or "none"
            raise DataError(f"{path} has no array {name!r}; its arrays are: {listed}")
    return found


def _archive(file: BinaryIO) -> Any:
    if not zipfile.is_zipfile(file):
        raise ValueError("it is no archive; save one with np.savez(path, x=x, y=y)")
    file.seek(0)
    return np.load(file, allow_pickle=False)


def _check(path: Path, name: str, x: Array, shape: Sequence[int]) -> None:
    if x.dtype.kind not in "iufb" or x.ndim != 1 + len(shape) or x.shape[1:] != tuple(shape):
        wanted = ", ".join(["n", *map(str, shape)])
        raise DataError(
            f"{path}: {name!r} is {x.dtype} of shape {x.shape}, expected numbers of ({wanted})"
        )
    bad = ~np.isfinite(x).reshape(len(x), -1).all(1) if x.dtype.kind == "f" else np.zeros(0, bool)
    if bad.any():
        raise DataError(
            f"{path}: {name!r} holds NaN or Inf, first in row {int(bad.argmax())} (counted from 0)"
            f"; {int(bad.sum())} rows of {len(x)} do: correct or remove them"
        )
