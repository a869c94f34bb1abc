"""Global models as safetensors files, each whole and verified or not there at all.

    file, whole and synced (CheckpointWriter) -> database commit (RoundFinished) -> announcement

The tensors lie in manifest order without gaps, as raw little-endian float32: from `data_offset`
on the file is byte for byte what travels to the nodes, so a bulk stream is served straight from
it. The digest of a model is BLAKE2b-256 of those bytes. Nothing here holds a whole model in
memory. At start `sweep` removes what a crash left behind and what retention gives up.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from coordinator.files import DISK, Buffer, Files, StoreConflict
from coordinator.halffile import HalfFile
from fedtui.learning.params import FROZEN_KEY, MAX_HEADER_BYTES, Manifest

_OURS = re.compile(r"model-\d{6,}\.safetensors")
_BLOCK = 2**20
_LENGTH_BYTES = 8


class CheckpointError(StoreConflict):
    """A model file that is not what it should be; the text names the file and what to do."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model on disk: its name in the folder, the digest and number of its tensor bytes."""

    name: str
    round: int
    digest: bytes
    num_bytes: int


def checkpoint_name(round_: int) -> str:
    """The file of the model after this round."""
    return f"model-{round_:06d}.safetensors"


def header(manifest: Manifest, round_: int) -> bytes:
    """Everything before the tensor bytes; its length is a multiple of 8."""
    metadata = {"round": str(round_), "made_by": "fedtui"}
    if manifest.frozen:
        metadata[FROZEN_KEY] = manifest.frozen
    entries: dict[str, object] = {"__metadata__": metadata}
    start = 0
    for spec in manifest.tensors:
        end = start + 4 * spec.num_values
        entries[spec.name] = {
            "dtype": "F32",
            "shape": list(spec.shape),
            "data_offsets": [start, end],
        }
        start = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text


class CheckpointWriter:
    """Writes one model, a piece at a time, in manifest order. Slow: use it in a thread.

    As a context manager it abandons what was not finished.
    """

    def __init__(
        self, directory: Path, round_: int, manifest: Manifest, *, files: Files = DISK
    ) -> None:
        """Begin NAME.tmp in `directory`, which is made if need be."""
        self._round = round_
        self._expected = manifest.num_bytes
        self._written = 0
        self._hash = blake2b(digest_size=32)
        files.make_directory(directory)
        self._half = HalfFile(directory / checkpoint_name(round_), files=files)
        self._half.write(header(manifest, round_))

    def write(self, data: Buffer) -> None:
        """Append raw little-endian float32 bytes.

        Raises:
            CheckpointError: more bytes than the manifest has.
            StoreUnavailable, StoreFatal: see files.py; call `abandon` then.
        """
        if not self._half.open:
            raise CheckpointError(f"{self._half.name} is closed")
        data = memoryview(data).cast("B")
        if self._written + len(data) > self._expected:
            raise CheckpointError(f"more than the {self._expected} bytes of the manifest")
        self._half.write(data)
        self._hash.update(data)
        self._written += len(data)

    def finish(self) -> Checkpoint:
        """Sync and put the file under its name; from now on it survives a power loss."""
        if not self._half.open or self._written != self._expected:
            raise CheckpointError(
                f"{self._half.name} has {self._written} of {self._expected} bytes"
            )
        self._half.finish()
        return Checkpoint(
            checkpoint_name(self._round), self._round, self._hash.digest(), self._expected
        )

    def abandon(self) -> None:
        """Remove what was written; nothing happens after `finish`."""
        self._half.abandon()

    def __enter__(self) -> "CheckpointWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.abandon()


class CheckpointReader:
    """An open model; `read` is safe in many threads. Made by `open_checkpoint`."""

    def __init__(
        self, handle: int, num_bytes: int, data_offset: int, *, files: Files = DISK
    ) -> None:
        self.handle = handle
        self.num_bytes = num_bytes
        self.data_offset = data_offset  # where the tensor bytes begin in the file
        self._files = files
        self._digest: bytes | None = None

    def read(self, offset: int, num_bytes: int) -> bytes:
        """Tensor bytes from `offset` on; fewer than asked for only at the end."""
        num_bytes = max(0, min(num_bytes, self.num_bytes - offset))
        return self._files.pread(self.handle, num_bytes, self.data_offset + offset)

    @property
    def digest(self) -> bytes:
        """BLAKE2b-256 of the tensor bytes. Slow the first time: it reads them all."""
        if self._digest is None:
            state = blake2b(digest_size=32)
            for offset in range(0, self.num_bytes, _BLOCK):
                state.update(self.read(offset, _BLOCK))
            self._digest = state.digest()
        return self._digest

    def close(self) -> None:
        self._files.close(self.handle)

    def __enter__(self) -> "CheckpointReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_checkpoint(path: Path, manifest: Manifest, *, files: Files = DISK) -> CheckpointReader:
    """Open a model that was written here, checking that it is of this manifest.

    Raises:
        CheckpointError: it is not, or the file is cut short or damaged in its header.
        StoreUnavailable, StoreFatal: it cannot be read.
    """
    handle = files.read(path)
    try:
        data_offset = _check(handle, path, manifest, files)
    except BaseException:
        files.close(handle)
        raise
    return CheckpointReader(handle, manifest.num_bytes, data_offset, files=files)


def _check(handle: int, path: Path, manifest: Manifest, files: Files) -> int:
    """Where the tensor bytes begin, if the file is of this manifest."""
    found, data_offset = _read_header(handle, path, files)
    if found != _layout(header(manifest, 0)[_LENGTH_BYTES:], path):
        raise CheckpointError(f"{path.name} holds another model than the plan's manifest")
    if files.size(path) != data_offset + manifest.num_bytes:
        raise CheckpointError(f"{path.name} has the wrong length: restore it from a backup")
    return data_offset


def _read_header(handle: int, path: Path, files: Files) -> tuple[object, int]:
    length = int.from_bytes(files.pread(handle, _LENGTH_BYTES, 0), "little")
    if not 2 <= length <= MAX_HEADER_BYTES or length % 8:
        raise CheckpointError(f"{path.name} is not a model file of fedtui (header of {length} B)")
    return _layout(files.pread(handle, length, _LENGTH_BYTES), path), _LENGTH_BYTES + length


def _layout(text: bytes, path: Path) -> list[tuple[str, object]]:
    """The tensors of a header in their order; twins stay twins, so they match no manifest."""
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        pairs = None
    if not text.startswith(b"{") or pairs is None:
        raise CheckpointError(f"{path.name} has a damaged header: restore it from a backup")
    return [pair for pair in pairs if pair[0] != "__metadata__"]


def verify(directory: Path, checkpoint: Checkpoint, *, files: Files = DISK) -> str | None:
    """What is wrong with a model's file, as a sentence; None if its digest is right. Slow."""
    path = directory / checkpoint.name
    if checkpoint.name not in files.names(directory):
        return f"{checkpoint.name} is missing"
    handle = files.read(path)
    try:
        _, data_offset = _read_header(handle, path, files)
        num_bytes = files.size(path) - data_offset
        if num_bytes != checkpoint.num_bytes:
            return f"{checkpoint.name} has {num_bytes} of {checkpoint.num_bytes} bytes"
        reader = CheckpointReader(handle, num_bytes, data_offset, files=files)
        if reader.digest != checkpoint.digest:
            return f"{checkpoint.name} was changed: its digest is not the recorded one"
    except CheckpointError as error:
        return str(error)
    finally:
        files.close(handle)
    return None


@dataclass(frozen=True, slots=True)
class Swept:
    """What `sweep` did: files removed, and a sentence for every broken model of the newest two."""

    removed: tuple[str, ...]
    broken: tuple[str, ...]


def sweep(
    directory: Path,
    named: Sequence[Checkpoint],
    *,
    keep: int,
    milestones: frozenset[int] = frozenset(),
    files: Files = DISK,
) -> Swept:
    """Remove half-written and unnamed files and old models; verify the newest two. Slow.

    `named` are the models that the database names, in any order. The newest `keep` (at least 2),
    the initial model and the `milestones` (rounds) stay.
    """
    files.make_directory(directory)
    newest = sorted(named, key=lambda c: c.round, reverse=True)
    staying = {c.name for c in newest[: max(keep, 2)]}
    staying |= {c.name for c in named if c.round == 0 or c.round in milestones}
    removed = tuple(_leftovers(files.names(directory), staying))
    for name in removed:
        files.remove(directory / name)
    broken = (verify(directory, checkpoint, files=files) for checkpoint in newest[:2])
    return Swept(removed, tuple(problem for problem in broken if problem is not None))


def _leftovers(names: Sequence[str], staying: set[str]) -> Iterator[str]:
    """Only what has our names: somebody else's file in the folder is not ours to remove."""
    for name in names:
        if name.endswith(".tmp") or (_OURS.fullmatch(name) and name not in staying):
            yield name
