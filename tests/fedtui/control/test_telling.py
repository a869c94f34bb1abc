"""Plain lines say each thing once, and nothing that a terminal would obey."""

from hypothesis import given
from hypothesis import strategies as st

from fedtui.control.telling import lines
from fedtui.status import (
    Event,
    LedgerLine,
    LedgerWritten,
    Logged,
    LogLine,
    NodeStatus,
    Problem,
    ProblemSeen,
    StateChanged,
    reduce,
)

SAID = st.integers(0, 10**6).map(
    lambda n: Logged(line=LogLine(at=float(n), level="info", text=f"news {n}"))
)


@given(st.lists(SAID, max_size=60, unique_by=lambda event: event.line.at))
def test_every_line_of_the_log_is_told_once_and_in_order(events: list[Logged]) -> None:
    status, told = NodeStatus(), list[str]()
    for seq, event in enumerate(events, start=1):
        before = status
        status = reduce(status, _numbered(event, seq))
        told += lines(before, status)
    assert told == [event.line.text for event in events]


def _numbered(event: Logged, seq: int) -> Event:
    return Logged(seq=seq, line=event.line)


def test_the_first_line_says_the_state_and_later_only_news() -> None:
    first = NodeStatus(state="waiting", sentence="for the next round")
    assert list(lines(None, first)) == ["waiting: for the next round"]
    assert list(lines(first, first)) == []
    moved = reduce(first, StateChanged(seq=1, state="paused", sentence="by you"))
    assert list(lines(first, moved)) == ["paused: by you"]


def test_what_leaves_and_what_is_wrong_are_told() -> None:
    entry = LedgerLine(
        at=1.0, round=2, attempt=1, what="update", num_bytes=1234, form="masked", receiver="c"
    )
    before = NodeStatus()
    left = reduce(before, LedgerWritten(seq=1, line=entry))
    assert list(lines(before, left)) == ["leaves here: round 2, update, 1,234 bytes, masked, to c"]
    wrong = reduce(left, ProblemSeen(seq=2, problem=Problem(text="no disk", remedy="free some")))
    assert list(lines(left, wrong)) == ["problem: no disk; what to do: free some"]
