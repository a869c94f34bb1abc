"""From a participant's own files to arrays: where the federation meets data.

Runs in the trainer process only; nothing read here leaves the machine. `DataSource` says where the
examples lie and which share of them is this node's. Every error is a `DataError` that says what is
wrong, where, and what to do. Files of tables are in `table.py`.
"""

from __future__ import annotations

import gzip
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import parse_qsl

import msgspec
import numpy as np
import numpy.typing as npt

from fedtui.errors import ExitCode, OperatorError

Array: TypeAlias = npt.NDArray[Any]

_IDX_MAGIC = {1: 0x0801, 3: 0x0803}  # unsigned bytes in so many dimensions
_MAX_IDX_VALUES = 2**31


class DataError(OperatorError, ValueError):
    """Data that cannot be used; the message says what, where and what to do."""

    exit_code = ExitCode.BAD_DATA


class DataSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a node's examples are, and which share of them is its own.

    `path` is a file or folder; empty means where the task finds its data by itself. `part` is
    `test` for an evaluator. A real node has its data to itself (`num_shards` 1); demos and
    benchmarks cut one data set into shards by `split`: `iid`, `dirichlet:0.5`, `shards:2`,
    `quantity:1.0`, or the path of an index file. `indices`, if set, names the examples outright.
    """

    path: str = ""
    part: Literal["train", "test"] = "train"
    split: str = "iid"
    shard: Annotated[int, msgspec.Meta(ge=0)] = 0
    num_shards: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0
    indices: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.shard >= self.num_shards:
            raise DataError(
                f"there is no shard {self.shard} of {self.num_shards}: shards count from 0"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Inputs `x` of shape (n, ...), targets `y` of (n,) or (n, ...): one row each per example."""

    x: Array
    y: Array

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise DataError(f"there are {len(self.x)} inputs but {len(self.y)} targets")

    def __len__(self) -> int:
        return len(self.y)

    def take(self, indices: npt.NDArray[np.int64]) -> Examples:
        """The examples at `indices`, copied, in that order."""
        return Examples(self.x[indices], self.y[indices])


def parse_source(text: str) -> DataSource:
    """A source as people type it: `PATH` or `PATH?shard=0/4&split=dirichlet:0.5&seed=1&part=test`.

    Raises:
        DataError: an unknown key, or a value that does not fit.
    """
    path, _, query = text.partition("?")
    fields: dict[str, str] = {"path": path}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key == "shard":
            fields["shard"], _, fields["num_shards"] = value.partition("/")
        elif key in {"split", "seed", "part"}:
            fields[key] = value
        else:
            raise DataError(f"data {text!r}: {key!r} is not known (shard, split, seed, part are)")
    try:
        return msgspec.convert(fields, DataSource, strict=False)
    except msgspec.ValidationError as error:
        raise DataError(f"data {text!r}: {error}; write it like PATH?shard=0/4") from error


def own_path(source: DataSource) -> Path:
    """The source's path with `~` expanded; of a folder with `train` and `test`, the part's folder.

    Raises:
        DataError: it does not exist.
    """
    path = Path(source.path).expanduser()
    if not path.exists():
        raise DataError(f"{path} does not exist: name the file or folder that holds your data")
    if (path / "train").is_dir() and (path / "test").is_dir():
        return path / source.part
    return path


def read_idx(path: Path, num_dims: Literal[1, 3]) -> npt.NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, gzipped or not: labels (1) or images (3 dimensions).

    Raises:
        DataError: unreadable, not IDX, or not as long as its header says.
    """
    raw = read_bytes(path)
    header = 4 + 4 * num_dims
    if len(raw) < header or int.from_bytes(raw[:4], "big") != _IDX_MAGIC[num_dims]:
        kind = "labels" if num_dims == 1 else "images"
        raise DataError(
            f"{path} is not an IDX file of {kind}: its first bytes are {raw[:4].hex()}"
        )
    shape = tuple(int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(num_dims))
    num_values = math.prod(shape)
    if num_values > _MAX_IDX_VALUES or len(raw) - header != num_values:
        raise DataError(
            f"{path} is damaged: its header promises {num_values} bytes, "
            f"{len(raw) - header} follow; get the file again"
        )
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)


def read_bytes(path: Path) -> bytes:
    """All bytes of a file, unpacked if it is gzipped. DataError with the remedy if that fails."""
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged: {error}; get the file again") from error
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error.strerror}; check path and permissions"
        ) from error
