"""The ledger after all that can happen to it: what was acknowledged is there, once."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.crypto.keys import fingerprint
from node import journal, ledger, lines
from node.ledger import DAY_S, Entry, Ledger

ENTRY = st.builds(
    Entry,
    at=st.floats(0, 4e9),
    round=st.integers(0, 9),
    what=st.text(max_size=20),
    form=st.text(max_size=9),
    num_bytes=st.integers(0, 2**40),
    digest=st.just("ab"),
)


@given(st.lists(ENTRY, max_size=8))
def test_what_was_appended_is_read_back_in_order(
    tmp_path_factory: pytest.TempPathFactory, entries: list[Entry]
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "ledger.jsonl"
    book = Ledger(path)
    for entry in entries:
        book.append(entry)
    assert book.tail(100) == tuple(entries)
    book.close()
    again = Ledger(path)
    assert list(ledger.entries(path)) == entries
    assert (again.torn_bytes, again.num_damaged) == (0, 0)
    again.close()


@given(st.lists(ENTRY, min_size=1, max_size=5), st.data())
def test_R2_a_kill_at_any_byte_loses_at_most_the_line_being_written(
    tmp_path_factory: pytest.TempPathFactory, entries: list[Entry], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "ledger.jsonl"
    book = Ledger(path)
    ends = []
    for entry in entries:
        book.append(entry)
        ends.append(path.stat().st_size)
    book.close()
    cut = data.draw(st.integers(0, ends[-1]))
    path.write_bytes(path.read_bytes()[:cut])
    whole = sum(end <= cut for end in ends)
    book = Ledger(path)
    assert list(ledger.entries(path)) == entries[:whole]
    assert book.torn_bytes == cut - ([0, *ends][whole])
    book.append(entries[0])
    assert list(ledger.entries(path)) == [*entries[:whole], entries[0]]
    book.close()


def test_a_damaged_line_in_the_middle_is_counted_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b'{"at":1,"what":"a"}\n\xff\x00 nonsense\n{"at":2,"what":"b"}\n')
    book = Ledger(path)
    assert book.num_damaged == 1
    assert [entry.what for entry in book.tail(10)] == ["a", "b"]
    assert b"nonsense" in path.read_bytes()
    book.close()


def test_bytes_are_counted_by_day_over_restarts(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    book = Ledger(path)
    book.append(Entry(at=10 * DAY_S - 1, num_bytes=5))
    book.append(Entry(at=10 * DAY_S, num_bytes=7))
    book.close()
    book = Ledger(path)
    book.append(Entry(at=10 * DAY_S + 100, num_bytes=1))
    assert book.num_bytes_on(10 * DAY_S + 3) == 8
    assert book.num_bytes_on(9 * DAY_S) == 5
    assert book.num_bytes_on(11 * DAY_S) == 0
    book.close()


@pytest.mark.parametrize("call", ["_write_all", "_sync"])
def test_L5_a_failed_append_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "ledger.jsonl"
    book = Ledger(path)
    book.append(Entry(at=1.0, what="a"))

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lines, call, full)
    with pytest.raises(OSError, match="space"):
        book.append(Entry(at=2.0, what="b", num_bytes=9))
    monkeypatch.undo()
    assert book.num_bytes_on(2.0) == 0
    book.append(Entry(at=3.0, what="c"))
    assert [entry.what for entry in book.tail(10)] == ["a", "c"]
    book.close()


def test_heads_are_kept_apart_and_only_newer_ones(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    book = Ledger(path)
    book.keep_head(Entry(kind="head", at=1.0, sequence=3, hash="aa"))
    book.close()
    book = Ledger(path)
    book.keep_head(Entry(kind="head", at=2.0, sequence=3, hash="bb"))
    book.keep_head(Entry(kind="head", at=2.0, sequence=4, hash="cc"))
    assert [entry.hash for entry in ledger.entries(path) if entry] == ["aa", "cc"]
    assert book.tail(10) == ()
    book.close()


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    book = Ledger(tmp_path / "ledger.jsonl")
    assert (tmp_path / "ledger.jsonl").stat().st_mode & 0o777 == 0o600
    book.close()


def test_an_entry_as_screens_show_it() -> None:
    line = Entry(at=1.0, round=2, attempt=3, what="u", form="f", num_bytes=4, receiver="c").line()
    assert (line.round, line.attempt, line.num_bytes, line.receiver) == (2, 3, 4, "c")


def test_an_update_is_shown_with_the_sum_that_was_voted_for_after_it_left() -> None:
    coordinator = bytes(range(32))
    receiver = fingerprint(coordinator)

    def vote(at: float, size: int, **fields: object) -> journal.Entry:
        entry = journal.Entry(
            kind="vote", at=at, coordinator=coordinator.hex(), round=2, attempt=1, ready=5
        )
        return msgspec.structs.replace(entry, num_survivors=size, **fields)

    def left(at: float, what: str = "update and training sums", attempt: int = 1) -> Entry:
        return Entry(at=at, round=2, attempt=attempt, what=what, receiver=receiver)

    entries = [left(1.0), left(5.0), left(5.0, "sums over own examples"), left(5.0, attempt=2)]
    votes = [vote(3.0, 9), vote(7.0, 4, lost=("AAAA",), num_lost=1, num_honest=2)]
    first, second, *others = ledger.with_sums(entries, votes)
    assert first.sum is not None
    assert first.sum.num_nodes == 9
    assert second.sum is not None
    assert (second.sum.num_nodes, second.sum.lost, second.sum.num_honest) == (4, ("AAAA",), 2)
    assert [one.sum for one in others] == [None, None]
    assert ledger.with_sums(entries[:1], [vote(3.0, 9, ready=0)])[0].sum is None
