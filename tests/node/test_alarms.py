"""Alarms: numbered, bounded, and one of a kind at a time."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from node.alarms import MAX_DETAIL, MAX_TEXT, SAME_KIND_S, Alarms

KINDS = ("disk", "lied", "budget")


@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.floats(0, 30)), max_size=40),
)
def test_none_of_a_kind_is_raised_twice_within_ten_seconds(
    events: list[tuple[str, float]],
) -> None:
    alarms, now, raised = Alarms(), 1_800_000_000.0, []
    for kind, passed_s in events:
        now += passed_s
        found = alarms.raised(kind, "text", at=now)
        if found is not None:
            raised.append(found)
        recent = [one.at for one in raised if one.kind == kind]
        assert recent, "the first of a kind is always raised"
        assert now - recent[-1] < SAME_KIND_S, "what was held back came just after another"
    assert [one.id for one in raised] == list(range(1, len(raised) + 1))
    for kind in KINDS:
        times = [one.at for one in raised if one.kind == kind]
        assert all(b - a >= SAME_KIND_S for a, b in itertools.pairwise(times))


def test_a_clock_that_was_set_back_silences_nothing() -> None:
    alarms = Alarms()
    assert alarms.raised("disk", "a", at=100.0) is not None
    assert alarms.raised("disk", "b", at=50.0) is not None


def test_what_is_shown_is_bounded_and_the_last_lines_are_kept() -> None:
    lines = tuple(f"{number} {'x' * 1000}" for number in range(50))
    found = Alarms().raised("trainer died", "y" * 1000, at=1.0, remedy="z" * 1000, detail=lines)
    assert found is not None
    assert len(found.text) == len(found.remedy) == MAX_TEXT
    assert len(found.detail) == MAX_DETAIL
    assert found.detail[-1].startswith("49 ")
    assert all(len(line) == MAX_TEXT for line in found.detail)
