"""Counting without counting: the running figures equal those counted afresh."""

from desk import name
from hypothesis import given
from hypothesis import strategies as st

from fedtui.rounds.cohort import AWAITED, Cohort, Standing

moves = st.lists(st.tuples(st.integers(0, 4), st.sampled_from(list(Standing)[1:])), max_size=30)


@given(moves)
def test_running_figures_equal_counted_ones(steps) -> None:
    cohort = Cohort(name(n) for n in range(5))
    for number, standing in steps:
        if cohort.members[name(number)].standing in AWAITED:
            cohort.stand(name(number), standing, standing.value)
        members = cohort.members.values()
        assert cohort.num_offered == sum(m.standing is Standing.OFFERED for m in members)
        assert set(cohort.awaited) == {
            n for n, m in cohort.members.items() if m.standing in AWAITED
        }


def test_graces() -> None:
    cohort = Cohort([name(1), name(2)])
    cohort.leave(name(1), 5.0)
    assert cohort.away_until() == [5.0]
    cohort.come_back(name(1))
    assert cohort.away_until() == []
    cohort.leave(name(1), 6.0)
    cohort.lose(name(1), "gone")
    assert cohort.away_until() == []


def test_reasons_are_few_and_counted() -> None:
    cohort = Cohort(name(n) for n in range(9))
    for number in range(9):
        cohort.lose(name(number), f"reason {number // 2}")
    assert cohort.reasons() == "2: reason 0; 2: reason 1; 2: reason 2"


def test_who_misses_a_deadline_is_told_apart_from_who_is_lost() -> None:
    cohort = Cohort([name(1), name(2)])
    cohort.lose(name(1), "its update came too late", late=True)
    cohort.lose(name(2), "left the federation")
    assert [member.late for member in cohort.members.values()] == [True, False]
