"""Folding records: what a restart knows, and what contradicts is ignored."""

import pytest
from desk import Desk, make_plan, name

from fedtui.rounds.history import FederationSnapshot, replay
from fedtui.rounds.machine import Operator
from fedtui.rounds.plan import RoundsSection
from fedtui.rounds.records import (
    Audited,
    Evaluated,
    PhaseEntered,
    RoundFailed,
    RoundStarted,
    SurvivorsChosen,
)


def test_nothing_is_the_empty_snapshot() -> None:
    assert replay([]) == FederationSnapshot()


def whole_run() -> Desk:
    desk = Desk(make_plan(rounds=RoundsSection(maximum=3)))
    desk.join(1, 2)
    desk.round(1, 2)
    desk.put(Operator("pause"))
    desk.round(1, 2)
    desk.put(Operator("resume"))
    desk.round(1, 2)
    return desk


def test_the_fold_is_what_the_machine_knows() -> None:
    desk = whole_run()
    snapshot = replay(desk.records)
    assert snapshot.rounds == tuple(desk.federation.rounds)
    assert snapshot.ended == "all 3 rounds done"
    assert snapshot.result_round == 3
    assert snapshot.open is None
    assert not snapshot.paused


def test_every_prefix_of_a_run_can_be_gone_on_from() -> None:
    records = whole_run().records
    for length in range(1, len(records)):
        desk = Desk(make_plan(rounds=RoundsSection(maximum=3)))
        desk.records = list(records[:length])
        before = replay(desk.records)
        desk.restart()
        assert desk.federation.rounds == list(before.rounds)
        if desk.federation.attempt is not None:
            assert before.open is not None
            assert before.open.survivors == (name(1), name(2))


def test_an_open_attempt_with_its_updates() -> None:
    desk = Desk()
    desk.join(1, 2)
    desk.accept(1, 2)
    desk.deliver(1)
    found = replay(desk.records).open
    assert found is not None
    assert (found.round, found.attempt, found.phase) == (1, 1, "COLLECTING")
    assert [u.node for u in found.updates] == [name(1)]
    assert found.survivors is None


@pytest.mark.parametrize(
    "stray",
    [
        PhaseEntered(1, 9, phase="AGGREGATING", deadline=0.0),
        SurvivorsChosen(9, 1, nodes=()),
        RoundFailed(1, 9, cause="another attempt"),
        Audited(actor="a", action="b", object="c"),
        Evaluated(round=7, model_digest=bytes(32), sums={}, score=1.0, num_nodes=1),
    ],
)
def test_what_speaks_of_another_attempt_changes_nothing(stray) -> None:
    started = RoundStarted(
        1, 1, phase="INVITING", model_digest=b"0" * 32, cohort=(), deadline=0.0, incarnation=1
    )
    assert replay([started, stray]) == replay([started])


def test_a_repeated_score_replaces_the_former_even_of_an_older_round() -> None:
    desk = whole_run()
    again = Evaluated(round=1, model_digest=bytes(32), sums={}, score=0.125, num_nodes=9)
    snapshot = replay([*desk.records, again])
    assert snapshot.rounds[1].score == 0.125
    assert snapshot.rounds[3].score == 0.5


def test_thousands_of_rounds_of_the_same_nodes_remember_them_once() -> None:
    desk = whole_run()
    lists = {id(r.cohort) for r in desk.federation.rounds if r.round}
    lists |= {id(r.survivors) for r in desk.federation.rounds if r.round}
    assert len(lists) == 1
