"""Who is here: coming, going, pausing, evaluators that may be back, and keys of masked rounds."""

import pytest
from desk import name
from hypothesis import given
from hypothesis import strategies as st
from masked_desk import NODES

from fedtui.rounds.attempt import Peer
from fedtui.rounds.machine import Joined, Left, Said, Tick
from fedtui.rounds.presence import Present
from fedtui.wire.messages import Away


def present(**roles) -> Present:
    here = Present()
    for number, role in enumerate(roles.values(), start=1):
        here.note(Joined(name(number), role), 0.0)
    return here


def test_participants_that_are_not_paused_are_available_sorted() -> None:
    here = Present()
    for number in (3, 1, 2):
        here.note(Joined(name(number), "participant"), 0.0)
    here.note(Joined(name(4), "evaluator"), 0.0)
    here.note(Joined(name(5), "observer"), 0.0)
    here.note(Said(name(2), Away(away=True)), 0.0)
    assert here.available == [name(1), name(3)]
    assert here.num_available == 2
    here.note(Said(name(2), Away(away=False)), 0.0)
    assert here.num_available == 3
    here.note(Said(name(9), Away(away=False)), 0.0)
    here.note(Tick(), 0.0)
    assert len(here) == 5


def test_evaluators_are_asked_unless_paused() -> None:
    here = present(a="evaluator", b="participant")
    assert here.evaluators == {name(1)}
    here.note(Said(name(1), Away(away=True)), 0.0)
    assert here.evaluators == set()
    here.note(Joined(name(1), "evaluator"), 0.0)
    assert here.evaluators == {name(1)}, "a new session says anew whether it is paused"


@pytest.mark.parametrize("role", ["evaluator", "participant"])
def test_only_evaluators_are_expected_back_and_only_for_a_while(role) -> None:
    here = present(a=role)
    here.note(Left(name(1)), 10.0)
    assert here.expected_evaluators(9.9) == ({name(1): 10.0} if role == "evaluator" else {})
    assert here.expected_evaluators(10.0) == {}
    assert here.expected_evaluators(5.0) == {}, "it is forgotten once and for all"
    assert len(here) == 0


def test_who_is_back_or_gone_for_good_is_not_expected() -> None:
    here = present(a="evaluator", b="evaluator")
    here.note(Left(name(1)), 10.0)
    here.note(Joined(name(1), "evaluator"), 0.0)
    here.note(Left(name(2)), 10.0)
    here.note(Left(name(2), for_good=True), 10.0)
    here.note(Left(name(3)), 10.0)
    assert here.expected_evaluators(0.0) == {}


def test_keys_are_those_of_the_newest_session_and_none_of_who_has_none() -> None:
    here = present(a="participant")
    one, two = NODES[0].public, NODES[1].public
    here.note(Joined(name(2), "participant", one, 7), 0.0)
    assert here.peers([name(1), name(2), name(3)]) == {name(2): Peer(one, 7)}
    here.note(Joined(name(2), "participant", two, 8), 0.0)
    assert here.peers([name(2)]) == {name(2): Peer(two, 8)}
    here.note(Left(name(2)), 0.0)
    assert here.peers([name(2)]) == {}


@given(
    st.lists(
        st.tuples(
            st.integers(1, 3),
            st.sampled_from(["join", "evaluate", "leave", "leave for good", "pause", "resume"]),
        )
    )
)
def test_the_number_that_is_kept_is_that_of_the_list(told: list[tuple[int, str]]) -> None:
    here = Present()
    for number, what in told:
        node = name(number)
        here.note(
            {
                "join": Joined(node, "participant"),
                "evaluate": Joined(node, "evaluator"),
                "leave": Left(node),
                "leave for good": Left(node, for_good=True),
                "pause": Said(node, Away(away=True)),
                "resume": Said(node, Away(away=False)),
            }[what],
            0.0,
        )
        assert here.num_available == len(here.available)
