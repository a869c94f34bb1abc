"""What the strategy keeps from round to round, as one file beside each of the newest models.

    state-000012.safetensors:  rows     F64 [D, K]  value by value, the K kept vectors side by side
                               digests  U8 [64]     of the model, and of rows and model together

The rows come chunk by chunk, as the model does, and are read so in the next round; nothing here
holds a whole vector. The file is synced and renamed before the commit that names its model, and it
names that model in turn: so both are committed at once. A state of another model, of an attempt
that a crash undid, is never taken.
"""

import json
import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np

from coordinator.checkpoints import CheckpointError
from coordinator.files import DISK, Files
from fedtui.combining.visible import CannotCombineError
from fedtui.strategies.base import State, Strategy

PATTERN = re.compile(r"state-(\d{6,})\.safetensors")
KEPT = 2  # of the newest model and the one before it: a crash may undo one round, never two
_DIGESTS = 64
_BLOCK = 2**20
_LENGTH_BYTES = 8


def state_name(round_: int) -> str:
    """The file of what was kept with the model after this round."""
    return f"state-{round_:06d}.safetensors"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a strategy keeps of a model of `num_values` values."""

    strategy: Strategy
    num_values: int

    @property
    def names(self) -> tuple[str, ...]:
        return self.strategy.kept

    @property
    def row_bytes(self) -> int:
        return 8 * len(self.names)

    @property
    def header(self) -> bytes:
        """Everything before the rows; equal of all rounds."""
        end = self.num_values * self.row_bytes
        entries = {
            "__metadata__": {"kept": json.dumps(self.names), "made_by": "fedtui"},
            "rows": {
                "dtype": "F64",
                "shape": [self.num_values, len(self.names)],
                "data_offsets": [0, end],
            },
            "digests": {
                "dtype": "U8",
                "shape": [_DIGESTS],
                "data_offsets": [end, end + _DIGESTS],
            },
        }
        text = json.dumps(entries, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        return len(text).to_bytes(_LENGTH_BYTES, "little") + text


class StateWriter:
    """Writes one state, chunk by chunk, in order. Slow: use it in a thread."""

    def __init__(self, directory: Path, round_: int, shape: Shape, *, files: Files = DISK) -> None:
        """Begin NAME.tmp in `directory`, unless the strategy keeps nothing."""
        self._files = files
        self._directory = directory
        self._name = state_name(round_)
        self._shape = shape
        self._num_rows = 0
        self._hash = blake2b(digest_size=32)
        self._half = directory / f"{self._name}.tmp"
        self._handle: int | None = None
        if shape.names:
            self._handle = files.create(self._half)
            files.write(self._handle, shape.header)

    def keep(self, state_C: State) -> None:
        """Append the rows of one chunk. Raises StoreUnavailable, StoreFatal; then `abandon`."""
        if self._handle is None:
            return
        columns = [state_C.vectors[name] for name in self._shape.names]
        rows = np.stack(columns, axis=1).astype("<f8", copy=False)
        data = rows.data.cast("B")
        self._files.write(self._handle, data)
        self._hash.update(data)
        self._num_rows += len(rows)

    def finish(self, model: bytes) -> None:
        """Name the model with this digest, sync, and put the file under its name."""
        if self._handle is None:
            return
        if self._num_rows != self._shape.num_values:
            raise CheckpointError(
                f"{self._half.name} has {self._num_rows} of {self._shape.num_values} values"
            )
        self._hash.update(model)
        self._files.write(self._handle, model + self._hash.digest())
        self._files.sync(self._handle)
        handle, self._handle = self._handle, None
        self._files.close(handle)
        self._files.rename(self._half, self._directory / self._name)
        self._files.sync_directory(self._directory)

    def abandon(self) -> None:
        """Remove what was written; nothing happens after `finish`."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            self._files.close(handle)
            self._files.remove(self._half)


class Beginning:
    """What is kept before round one: no file."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def part(self, place: slice) -> State:
        strategy, num = self._shape.strategy, place.stop - place.start
        return State({name: np.full(num, strategy.initial(name)) for name in strategy.kept})

    def close(self) -> None:
        """Nothing is open."""


class StateReader:
    """An open state; `part` is safe in many threads. Made by `open_state`."""

    def __init__(self, handle: int, shape: Shape, files: Files) -> None:
        self._handle = handle
        self._shape = shape
        self._files = files
        self._start = len(shape.header)

    def part(self, place: slice) -> State:
        width, num = self._shape.row_bytes, place.stop - place.start
        data = self._files.pread(self._handle, width * num, self._start + width * place.start)
        if len(data) != width * num:
            raise CannotCombineError("what the strategy kept was cut short on disk")
        rows = np.frombuffer(data, "<f8").reshape(num, -1)
        names = self._shape.names
        return State({name: np.ascontiguousarray(rows[:, at]) for at, name in enumerate(names)})

    def close(self) -> None:
        self._files.close(self._handle)


def open_state(
    directory: Path, round_: int, model: bytes, shape: Shape, *, files: Files = DISK
) -> StateReader | Beginning:
    """What was kept with the model after `round_`, which has this digest.

    Raises:
        CheckpointError: it is missing, damaged, or of another model or strategy.
        StoreUnavailable, StoreFatal: it cannot be read.
    """
    if not shape.names or round_ == 0:
        return Beginning(shape)
    path = directory / state_name(round_)
    if path.name not in files.names(directory):
        raise CheckpointError(f"{path.name} is missing")
    handle = files.read(path)
    try:
        _check(handle, path, model, shape, files)
    except BaseException:
        files.close(handle)
        raise
    return StateReader(handle, shape, files)


def _check(handle: int, path: Path, model: bytes, shape: Shape, files: Files) -> None:
    start, num_bytes = len(shape.header), shape.num_values * shape.row_bytes
    if files.pread(handle, start, 0) != shape.header:
        raise CheckpointError(f"{path.name} is of another strategy than the plan's")
    if files.size(path) != start + num_bytes + _DIGESTS:
        raise CheckpointError(f"{path.name} has the wrong length")
    if files.pread(handle, 32, start + num_bytes) != model:
        raise CheckpointError(f"{path.name} belongs to another model")


def verify(
    directory: Path, round_: int, model: bytes, shape: Shape, *, files: Files = DISK
) -> str | None:
    """What is wrong with the state beside this model, as a sentence; None if nothing. Slow."""
    try:
        open_state(directory, round_, model, shape, files=files).close()
    except CheckpointError as error:
        return str(error)
    if not shape.names or round_ == 0:
        return None
    path = directory / state_name(round_)
    start, num_bytes = len(shape.header), shape.num_values * shape.row_bytes
    handle, found = files.read(path), blake2b(digest_size=32)
    try:
        for offset in range(0, num_bytes + 32, _BLOCK):
            size = min(_BLOCK, num_bytes + 32 - offset)
            found.update(files.pread(handle, size, start + offset))
        recorded = files.pread(handle, 32, start + num_bytes + 32)
    finally:
        files.close(handle)
    if found.digest() != recorded:
        return f"{path.name} was changed: its digest is not the recorded one"
    return None


def leftovers(names: Sequence[str], newest: int, bases: Set[int]) -> list[str]:
    """Which of these files are states that the models up to round `newest` need no more.

    `bases` are older rounds from whose models the next one may start, if newer ones are rolled
    back.
    """
    needed = bases | set(range(newest - KEPT + 1, newest + 1))
    return [
        name
        for name in names
        if (found := PATTERN.fullmatch(name)) and int(found[1]) not in needed
    ]
