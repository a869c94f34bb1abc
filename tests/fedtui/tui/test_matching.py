"""Filters let through what they say; a Tail equals filtering the whole log every time."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.status import LogLine
from fedtui.tui.matching import LEVELS, SOURCES, BadFilter, Filter, Tail

LINES = st.builds(
    LogLine,
    at=st.floats(0, 1e9),
    level=st.sampled_from(LEVELS),
    text=st.text("abc ", max_size=6),
    source=st.sampled_from(SOURCES),
)
FILTERS = st.builds(
    Filter,
    text=st.sampled_from(["", "a", "AB", "/^a/", "/b+c"]),
    least=st.integers(0, 3),
    source=st.sampled_from(["", *SOURCES]),
)


def line(text: str, level: str = "info", source: str = "node") -> LogLine:
    return LogLine(at=0.0, level=level, text=text, source=source)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "found", "passed"),
    [
        ("", "anything", True),
        ("LOST", "maple lost", True),
        ("maple$", "maple lost", False),
        ("/maple.*lost/", "maple was lost", True),
        ("/^lost", "maple lost", False),
        ("/", "a/b", True),
    ],
)
def test_words_and_expressions(text: str, found: str, passed: bool) -> None:
    assert Filter(text=text).lets(line(found)) is passed


def test_levels_and_sources() -> None:
    assert not Filter(least=2).lets(line("x", "ok"))
    assert Filter(least=2).lets(line("x", "error"))
    assert not Filter(source="link").lets(line("x", source="peer"))
    assert Filter(source="link").lets(line("x", source="link"))


def test_a_broken_expression_says_where() -> None:
    with pytest.raises(BadFilter, match="unterminated"):
        Filter(text="/[a/")


@pytest.mark.parametrize("text", ["/a{99999999999}/", f"/{'(' * 5000}{')' * 5000}/"], ids=range(2))
def test_an_expression_that_is_too_large_is_none_too(text: str) -> None:
    with pytest.raises(BadFilter, match=r"too large|recursion"):
        Filter(text=text)


def test_only_the_first_signs_of_a_line_are_searched() -> None:
    assert not Filter(text="end").finds("x" * 600 + "end")


@given(st.lists(st.lists(LINES, max_size=8), max_size=8), FILTERS, FILTERS)
def test_following_equals_filtering_it_all(
    pieces: list[list[LogLine]], first: Filter, second: Filter
) -> None:
    log: deque[LogLine] = deque()
    tail = Tail()
    tail.set(first)
    for number, piece in enumerate(pieces):
        if number == len(pieces) // 2:
            tail.set(second)
        log.extend(piece)
        tail.follow(log)
        wanted = [id(one) for one in log if tail.filter.lets(one)]
        assert [id(one) for one in tail.lines] == wanted


def test_it_tells_how_many_came_and_when_all_are_others() -> None:
    tail, log = Tail(), deque([line("a"), line("b")])
    assert tail.follow(log) == -1
    assert tail.follow(log) == 0
    log.extend([line("a"), line("c")])
    assert tail.follow(log) == 2
    tail.set(Filter(text="a"))
    assert tail.follow(log) == -1
    assert [one.text for one in tail.lines] == ["a", "a"]


def test_of_a_log_without_lines_none_are_kept() -> None:
    tail = Tail()
    tail.follow(deque([line("a")]))
    assert tail.follow(deque()) == -1
    assert list(tail.lines) == []
    assert tail.follow(deque()) == 0


def test_older_lines_that_are_remembered_later_come_first() -> None:
    tail, log = Tail(), deque([line("b")])
    tail.follow(log)
    log.appendleft(line("a"))
    assert tail.follow(log) == -1
    assert [one.text for one in tail.lines] == ["a", "b"]
