"""A file is there as it was before or whole, whatever happens on the way."""

import errno
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from fake_files import FaithlessFiles, PowerLossError
from hypothesis import given
from hypothesis import strategies as st

from coordinator.files import StoreUnavailable
from coordinator.halffile import HalfFile

PATH = Path("/state/file.bin")
OLD, PIECES = b"what was there before", [b"one piece, ", b"another, ", b"the last"]


def put(files: FaithlessFiles, pieces: list[bytes]) -> None:
    half = HalfFile(PATH, files=files)
    for piece in pieces:
        half.write(piece)
    half.finish()


def content(files: FaithlessFiles, path: Path = PATH) -> bytes | None:
    return bytes(files.names_now[path].data) if path in files.names_now else None


@given(st.integers(0, 8), st.booleans(), st.integers(0, 2**32))
def test_after_a_power_loss_it_is_whole_or_as_before(stop_at: int, old: bool, seed: int) -> None:
    files = FaithlessFiles()
    if old:
        put(files, [OLD])
    files.stop_at = len(files.calls) + stop_at
    finished = False
    try:
        put(files, PIECES)
        finished = True
    except PowerLossError:
        pass
    found = content(files.crash(np.random.default_rng(seed)))
    assert found in ({b"".join(PIECES)} if finished else {b"".join(PIECES), OLD if old else None})
    assert finished == (stop_at > 6)


@pytest.mark.parametrize("call", ["write", "rename"])
def test_given_up_it_leaves_nothing_and_what_was_before(call: str) -> None:
    files = FaithlessFiles()
    put(files, [OLD])
    files.failing = lambda name, _: errno.ENOSPC if name == call else 0
    half = HalfFile(PATH, files=files)
    with suppress(StoreUnavailable):
        half.write(b"new")
        half.finish()
    assert half.open, "nothing failed"
    half.abandon()
    assert not half.open
    assert content(files) == OLD
    assert files.names(PATH.parent) == [PATH.name]
    assert files.open == {}


def test_what_is_finished_is_not_abandoned_any_more() -> None:
    files = FaithlessFiles()
    half = HalfFile(PATH, files=files)
    half.write(b"new")
    assert half.open
    half.finish()
    half.abandon()
    half.write(b"more")
    half.finish()
    assert content(files) == b"new"
    assert files.calls == ["create", "write", "sync", "rename", "sync_directory"]
