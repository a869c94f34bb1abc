"""The files that the trainer process writes: whole or not at all."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec

from fedtui.wire.tensors import to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fedtui.learning.params import Vector
    from node.jobs import TrainJob

_WRITE_CHUNK = 2**20


def write_vector(path: Path, update_D: Vector) -> str:
    """Write the wire form, whole or not at all; BLAKE2b-256 of it as hex."""
    data = to_bytes(update_D)
    starts = range(0, len(data), _WRITE_CHUNK)
    digest, _ = write_blocks(path, (data[start : start + _WRITE_CHUNK] for start in starts))
    return digest


def write_blocks(path: Path, blocks: Iterable[memoryview]) -> tuple[str, int]:
    """Write a file whole or not at all; BLAKE2b-256 of it as hex, and its size."""
    state, num_bytes = hashlib.blake2b(digest_size=32), 0
    scratch = path.with_name(path.name + ".tmp")
    try:
        with scratch.open("wb") as file:
            for block in blocks:
                state.update(block)
                num_bytes += file.write(block)
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    return state.hexdigest(), num_bytes


def write_rows(path: Path, answers: Iterator[dict[str, str | float]]) -> int:
    num_rows = 0
    scratch = path.with_name(path.name + ".tmp")
    with scratch.open("wb") as file:
        for row, answer in enumerate(answers, 1):
            file.write(msgspec.json.encode({"row": row, **answer}) + b"\n")
            num_rows = row
    scratch.replace(path)
    return num_rows


def plain_file(job: TrainJob, update_D: Vector) -> Path | IO[bytes]:
    """Where the update lies as training made it: what leaves, or beside it in a nameless file."""
    if not job.transforms and job.noise is None:
        return Path(job.out_path)
    file = tempfile.TemporaryFile(dir=Path(job.out_path).parent)  # noqa: SIM115 - mapped, then closed
    file.write(to_bytes(update_D))
    file.flush()
    return file
