import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.experiments import journal as journal_module
from fedtui.experiments.disk import DamagedError, DiskError, RunFolderError
from fedtui.experiments.journal import (
    MAGIC,
    Entry,
    JobDone,
    JobFailed,
    Journal,
    ModelMade,
    RoundClosed,
    SumFailed,
    closed_rounds,
    reports,
)
from fedtui.simulation.report import NodeReport, RoundReport

counts = st.integers(0, 2**53)
sums = st.dictionaries(st.text(max_size=8), st.floats(allow_nan=False), max_size=3)
floats = st.floats(allow_nan=False)
digests = st.binary(max_size=32)
kinds = st.sampled_from(["train", "measure"])
nodes = st.integers(-1, 10_000)
done = st.builds(
    JobDone,
    kind=kinds,
    node=nodes,
    round=counts,
    attempt=counts,
    digest=digests,
    num_examples=counts,
    sums=sums,
)
failed = st.builds(
    JobFailed, kind=kinds, node=nodes, round=counts, attempt=counts, reason=st.text(max_size=20)
)
made = st.builds(
    ModelMade,
    round=counts,
    attempt=counts,
    digest=digests,
    num_bytes=counts,
    sums=sums,
    liars=st.lists(digests, max_size=2),
    change_bytes=counts,
)
BY_TYPE = {int: counts, float: floats, str: st.text(max_size=8), float | None: st.none() | floats}
round_reports = st.builds(
    RoundReport, **{name: BY_TYPE[kind] for name, kind in RoundReport.__annotations__.items()}
)
node_reports = st.builds(
    NodeReport, **{name: BY_TYPE[kind] for name, kind in NodeReport.__annotations__.items()}
)
unsummed = st.builds(SumFailed, round=counts, attempt=counts, reason=st.text(max_size=20))
closed = st.builds(RoundClosed, report=round_reports, nodes=st.lists(node_reports, max_size=2))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journals")


def whole(entries: list[Entry]) -> list[Entry]:
    """Up to the last closed round."""
    ends = [n for n, entry in enumerate(entries, 1) if isinstance(entry, RoundClosed)]
    return entries[: ends[-1] if ends else 0]


def written(path: Path, entries: list[Entry]) -> list[int]:
    """Write a journal; where each entry ends."""
    path.unlink(missing_ok=True)
    journal = Journal(path)
    ends = []
    for entry in entries:
        journal.append([entry])
        ends.append(path.stat().st_size)
    journal.close()
    return ends


@given(
    entries=st.lists(done | failed | made | unsummed | closed, max_size=6),
    added=st.lists(closed, max_size=1),
    data=st.data(),
)
def test_cut_anywhere_what_is_read_is_a_whole_prefix_and_it_grows_on(
    folder: Path, entries: list[Entry], added: list[Entry], data: st.DataObject
) -> None:
    path = folder / "cut"
    ends = written(path, entries)
    cut = data.draw(st.integers(0, ends[-1] if ends else 0))
    if path.exists():
        os.truncate(path, cut)
    expected = whole([entry for entry, end in zip(entries, ends, strict=True) if end <= cut])

    journal = Journal(path)
    assert journal.read() == expected
    journal.append(added)
    journal.close()
    assert Journal(path).read() == whole(expected + added)


@given(
    entries=st.lists(done | closed, min_size=1, max_size=5),
    place=st.floats(0, 1, exclude_max=True),
    flipped=st.integers(1, 255),
)
def test_a_changed_byte_costs_the_entries_from_there_on_and_never_more(
    folder: Path, entries: list[Entry], place: float, flipped: int
) -> None:
    path = folder / "changed"
    ends = written(path, entries)
    text = bytearray(path.read_bytes())
    at = len(MAGIC) + int(place * (len(text) - len(MAGIC)))
    text[at] ^= flipped
    path.write_bytes(text)
    expected = whole([entry for entry, end in zip(entries, ends, strict=True) if end <= at])
    assert Journal(path).read() == expected


def closing(a_round: Callable[..., RoundReport], number: int) -> RoundClosed:
    return RoundClosed(report=a_round(number), nodes=[])


def failing(number: int) -> JobFailed:
    return JobFailed(kind="train", node=number, round=1, attempt=1, reason="out of memory")


def test_an_unfinished_round_is_cut_off_and_counted(
    tmp_path: Path, a_round: Callable[..., RoundReport]
) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.append([failing(1), closing(a_round, 1)])
    size = path.stat().st_size
    journal.append([failing(2), failing(3)])
    num_more = path.stat().st_size - size
    journal.close()
    again = Journal(path)
    assert len(again.read()) == 2
    assert (again.num_cut, path.stat().st_size) == (num_more, size)


def test_read_up_to_a_round_forgets_those_after_it(
    tmp_path: Path, a_round: Callable[..., RoundReport]
) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.append([failing(1), closing(a_round, 1), failing(2), closing(a_round, 2)])
    kept = journal.read(upto=1)
    assert kept == [failing(1), closing(a_round, 1)]
    journal.append([closing(a_round, 3)])
    journal.close()
    assert [one.report.round for one in closed_rounds(path)] == [1, 3]


def test_looking_at_it_changes_nothing(
    tmp_path: Path, a_round: Callable[..., RoundReport]
) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.append([closing(a_round, 1), closing(a_round, 2), failing(2)])
    before = path.read_bytes()
    assert [one.report.round for one in closed_rounds(path)] == [1, 2]
    assert path.read_bytes() == before
    with pytest.raises(RunFolderError, match="cannot be read: No such file"):
        list(closed_rounds(tmp_path / "none"))


def test_it_is_synced_once_for_a_closed_round(
    tmp_path: Path, a_round: Callable[..., RoundReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "journal")
    journal.read()
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    journal.append([failing(1)])
    assert synced == []
    journal.append([failing(2), closing(a_round, 1)])
    assert len(synced) == 1


def test_a_full_disk_leaves_it_as_it_was_and_it_goes_on(
    tmp_path: Path, a_round: Callable[..., RoundReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.append([closing(a_round, 1)])
    before, real = path.read_bytes(), os.write

    def full(handle: int, data: memoryview) -> int:
        if len(data) < 50:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle, data[: len(data) // 2])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(DiskError, match="the disk is full; make room and run again"):
            journal.append([failing(1), closing(a_round, 2)])
    assert path.read_bytes() == before
    journal.append([closing(a_round, 2)])
    assert [one.report.round for one in closed_rounds(path)] == [1, 2]


def test_what_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    for text in (b"#!/bin/sh\n", b"fedtui journal 2\n", bytes(1000)):
        path.write_bytes(text)
        with pytest.raises(DamagedError, match="is no journal"):
            Journal(path).read()
        assert path.read_bytes() == text


def test_an_entry_of_another_version_is_said_not_dropped(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    text = b"\x92\xa7Another\x01"
    check = journal_module._checked(b"", text)
    path.write_bytes(MAGIC + len(text).to_bytes(4, "little") + check + text)
    with pytest.raises(DamagedError, match="another version wrote it"):
        Journal(path).read()


def test_reports_are_those_of_closed_rounds(
    a_round: Callable[..., RoundReport], a_node: Callable[..., NodeReport]
) -> None:
    entries: list[Entry] = [
        failing(1),
        RoundClosed(report=a_round(1), nodes=[a_node(1, 0), a_node(1, 4)]),
        RoundClosed(report=a_round(2), nodes=[a_node(2, 3)]),
    ]
    rounds, of_nodes = reports(entries)
    assert [one.round for one in rounds] == [1, 2]
    assert [(one.round, one.node) for one in of_nodes] == [(1, 0), (1, 4), (2, 3)]
