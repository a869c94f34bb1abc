"""One attempt: who says what when, double, late, from elsewhere."""

import pytest
from desk import NUM_BYTES, Desk, make_plan, name

from fedtui.errors import LocalProtocolError
from fedtui.rounds.cohort import Standing
from fedtui.rounds.coordinator import Phase, RoundCoordinator
from fedtui.rounds.history import Answer
from fedtui.rounds.machine import (
    AcceptUpdate,
    Acknowledge,
    Aggregate,
    AggregationFailed,
    Joined,
    Left,
    Operator,
    Persist,
    RefuseUpdate,
    Said,
    Tick,
    UpdateBroken,
)
from fedtui.rounds.plan import RoundsSection, SelectionSection, WeightsSection
from fedtui.rounds.records import RoundFailed, RoundFinished, UpdateReceived
from fedtui.rounds.spread import spread_of
from fedtui.wire.codec import decode, encode
from fedtui.wire.messages import Abort, Accepting, Control, Declining, Offer, UpdateHeader


@pytest.fixture
def desk() -> Desk:
    """Four nodes, offered round 1."""
    desk = Desk(make_plan(rounds=RoundsSection(start_with=4, maximum=9)))
    desk.join(1, 2, 3, 4)
    assert len(desk.sent(Offer)) == 4
    return desk


def test_a_round_step_by_step(desk: Desk) -> None:
    desk.accept(1, 2, 3)
    assert desk.attempt.phase is Phase.INVITING
    desk.accept(4)
    assert desk.attempt.phase is Phase.COLLECTING
    desk.deliver(1, 2, 3)
    assert not desk.of(Aggregate)
    desk.deliver(4)
    assert [c.node for c in desk.aggregate.contributions] == [name(n) for n in (1, 2, 3, 4)]
    assert desk.attempt.deadline is None


@pytest.mark.parametrize(
    "changes",
    [{"incarnation": 2}, {"incarnation": 0}, {"round": 2}, {"round": 0}, {"attempt": 2}],
)
def test_what_belongs_to_another_attempt_changes_nothing(desk: Desk, changes) -> None:
    which = desk.which | changes
    desk.put(Said(name(1), Accepting(**which)))
    desk.put(Said(name(1), Declining(**which, reason="no")))
    assert desk.attempt.members[name(1)].standing is Standing.OFFERED
    desk.accept(1)
    desk.put(desk.opened(1, **changes))
    (refused,) = desk.of(RefuseUpdate)
    assert "is over" in refused.reason
    assert desk.attempt.members[name(1)].standing is Standing.TRAINING


def test_S9_same_digest_fifty_times_other_digest_other_node(desk: Desk) -> None:
    desk.accept(1, 2, 3, 4)
    desk.deliver(1)
    for stream in range(50):
        desk.put(desk.opened(1, stream=stream))
        (receipt,) = desk.of(Acknowledge)
        assert (receipt.stream, receipt.digest) == (stream, desk.opened(1).digest)
        desk.put(desk.arrived(1))
        assert desk.of(Acknowledge)
    desk.put(desk.opened(1, digest=b"x" * 32))
    (refused,) = desk.of(RefuseUpdate)
    assert "another update" in refused.reason
    desk.put(desk.opened(9))
    assert desk.of(RefuseUpdate)
    desk.put(desk.arrived(9))
    assert desk.of(RefuseUpdate)
    assert len([r for r in desk.records if isinstance(r, UpdateReceived)]) == 1
    assert len(desk.attempt.contributions) == 1


def test_the_receipt_comes_with_the_record(desk: Desk) -> None:
    desk.accept(1, 2, 3, 4)
    desk.put(desk.opened(1))
    assert desk.of(AcceptUpdate)
    effects = desk.put(desk.arrived(1))
    assert [type(e) for e in effects] == [Persist, Acknowledge]


def test_nobody_delivers_without_having_accepted(desk: Desk) -> None:
    desk.put(desk.opened(1))
    assert desk.of(RefuseUpdate)
    desk.put(desk.arrived(1))
    assert desk.of(RefuseUpdate)
    assert not desk.attempt.contributions


def test_an_update_that_arrives_with_another_digest_is_not_counted(desk: Desk) -> None:
    desk.accept(1, 2, 3, 4)
    desk.put(desk.opened(1))
    desk.put(desk.arrived(1, digest=b"x" * 32))
    assert desk.of(RefuseUpdate)
    assert not desk.attempt.contributions


@pytest.mark.parametrize("changes", [{"num_bytes": NUM_BYTES + 1}, {"manifest_digest": b""}])
def test_A2_an_update_of_another_layout_puts_the_node_out(desk: Desk, changes) -> None:
    desk.accept(1, 2, 3, 4)
    desk.put(desk.opened(1, **changes))
    (refused,) = desk.of(RefuseUpdate)
    assert "layout" in refused.reason
    assert desk.attempt.members[name(1)].standing is Standing.LOST
    desk.deliver(2, 3, 4)
    assert len(desk.aggregate.contributions) == 3


def test_A1_a_broken_update_is_refused_and_not_waited_for(desk: Desk) -> None:
    desk.accept(1, 2, 3, 4)
    desk.put(desk.opened(1))
    desk.put(UpdateBroken(name(1), 1, 1, 1, reason="NaN at 3"))
    (refused,) = desk.of(RefuseUpdate)
    assert refused.reason == "NaN at 3"
    assert name(1) not in desk.attempt.awaited


def test_who_is_silent_is_left_behind_at_the_accept_deadline(desk: Desk) -> None:
    desk.accept(1, 2)
    assert desk.federation.deadline == pytest.approx(1005.0)
    desk.put(Tick(), after_s=4.9)
    assert desk.attempt.phase is Phase.INVITING
    desk.put(Tick(), after_s=0.2)
    assert desk.attempt.phase is Phase.COLLECTING
    assert desk.attempt.members[name(3)].standing is Standing.LOST
    desk.accept(3)
    assert desk.attempt.members[name(3)].standing is Standing.LOST, "late is late"
    assert [m.late for m in desk.attempt.members.values()] == [False, False, True, True]


def test_who_is_late_is_left_behind_at_the_update_deadline(desk: Desk) -> None:
    desk.accept(1, 2, 3, 4)
    desk.deliver(1, 2)
    desk.put(desk.opened(3))
    desk.put(Tick(), after_s=20.0)
    assert [c.node for c in desk.aggregate.contributions] == [name(1), name(2)]
    desk.put(desk.arrived(3))
    (refused,) = desk.of(RefuseUpdate)
    assert "too late" in refused.reason
    assert len(desk.attempt.contributions) == 2


def test_who_comes_back_in_time_is_offered_the_same_attempt(desk: Desk) -> None:
    desk.accept(1, 2, 3, 4)
    desk.put(Left(name(1)))
    assert desk.federation.deadline == pytest.approx(1003.0)
    desk.put(Joined(name(1), "participant"), after_s=2.0)
    ((node, offer),) = desk.sent(Offer)
    assert node == name(1)
    assert (offer.attempt, offer.deadline_s) == (1, pytest.approx(18.0))
    assert desk.federation.deadline == pytest.approx(1020.0)


def test_who_stays_away_is_lost_after_the_grace(desk: Desk) -> None:
    desk.accept(1, 2, 3, 4)
    desk.put(Left(name(1)))
    desk.put(Tick(), after_s=3.0)
    assert desk.attempt.members[name(1)].standing is Standing.LOST
    desk.put(Joined(name(1), "participant"))
    assert not desk.sent(Offer)


def test_too_few_left_fails_with_the_counts_and_tells_who_still_works(desk: Desk) -> None:
    desk.accept(1, 2, 3, 4)
    desk.put(Left(name(1), for_good=True))
    desk.put(Left(name(2), for_good=True))
    desk.put(Said(name(3), Declining(**desk.which, reason="battery\x1b[2J")))
    (failed,) = [r for r in desk.records if isinstance(r, RoundFailed)]
    assert failed.cause == (
        "1 of 4 nodes were left, 2 are needed (2: left the federation; 1: battery[2J)"
    )
    assert [node for node, _ in desk.sent(Abort)] == [name(4)]


def test_causes_stay_short_and_can_be_read_by_every_node() -> None:
    desk = Desk()
    desk.join(1, 2)
    desk.accept(1, 2)
    desk.put(Said(name(1), Declining(**desk.which, reason="é" * 120)))
    (failed,) = [r for r in desk.records if isinstance(r, RoundFailed)]
    assert len(failed.cause) < 500
    for _, message in desk.sent(Abort):
        decode(encode(message), Control)


def test_a_failed_aggregation_is_followed_by_another_attempt(desk: Desk) -> None:
    desk.accept(1, 2, 3, 4)
    desk.deliver(1, 2, 3, 4)
    desk.put(AggregationFailed(1, 1, "disk full"))
    assert desk.records[-1] == RoundFailed(1, 1, cause="disk full")
    desk.put(Tick(), after_s=1.0)
    assert (desk.attempt.round, desk.attempt.attempt) == (1, 2)


def test_aggregated_twice_or_for_another_attempt_counts_once(desk: Desk) -> None:
    desk.accept(1, 2, 3, 4)
    desk.put(AggregationFailed(1, 1, "too early"))
    assert not desk.attempt.over
    desk.deliver(1, 2, 3, 4)
    desk.put(AggregationFailed(1, 2, "not this one"))
    assert not desk.attempt.over
    attempt = desk.attempt
    desk.aggregated()
    assert attempt.over
    assert len(desk.federation.rounds) == 2


@pytest.mark.parametrize("by", ["examples", "equal"])
def test_weights(by) -> None:
    desk = Desk(make_plan(weights=WeightsSection(by=by, cap=50 if by == "examples" else None)))
    desk.join(1, 2)
    desk.accept(1, 2)
    for number, examples in ((1, 30), (2, 2**40)):
        header = UpdateHeader(num_examples=examples, sums={})
        desk.put(desk.opened(number, header=header))
        desk.put(desk.arrived(number))
    weights = [c.weight for c in desk.aggregate.contributions]
    assert weights == ([30, 50] if by == "examples" else [1, 1])


def over_selected() -> Desk:
    """Five nodes are there, two are wanted and four invited."""
    plan = make_plan(
        selection=SelectionSection(name="deadline", count=2, options={"invite": 2.0}),
        rounds=RoundsSection(start_with=5, maximum=9),
    )
    desk = Desk(plan)
    desk.join(1, 2, 3, 4, 5)
    return desk


def test_a_round_with_more_invited_than_wanted_closes_when_the_wanted_are_in() -> None:
    desk = over_selected()
    first, second, third, last = (int(n[1:2]) for n in sorted(desk.attempt.members))
    desk.accept(first, second, third)
    desk.deliver(second)
    assert not desk.of(Aggregate)
    desk.put(desk.opened(third))
    desk.deliver(first)
    parts = [c.node for c in desk.aggregate.contributions]
    assert parts == [name(first), name(second)]
    left = [desk.attempt.members[name(n)] for n in (third, last)]
    assert {(one.standing, one.late) for one in left} == {(Standing.LOST, False)}
    (refused,) = [e for e in desk.put(desk.arrived(third)) if isinstance(e, RefuseUpdate)]
    assert "too late: the round had enough without it" in refused.reason


def test_fewer_than_wanted_are_enough_at_the_deadline_as_ever() -> None:
    plan = make_plan(
        selection=SelectionSection(name="deadline", count=3, options={"invite": 1.5}),
        rounds=RoundsSection(start_with=5, maximum=9),
    )
    desk = Desk(plan)
    desk.join(1, 2, 3, 4, 5)
    cohort = [int(n[1:2]) for n in sorted(desk.attempt.members)]
    desk.accept(*cohort)
    desk.deliver(*cohort[:2])
    desk.put(Tick(), after_s=plan.deadlines.update_s)
    assert len(desk.aggregate.contributions) == 2


def test_how_long_an_update_took_and_how_unequal_the_weights_were_is_kept(desk: Desk) -> None:
    desk.accept(1, 2, 3, 4)
    desk.now += 2.0
    desk.deliver(1)
    header = UpdateHeader(num_examples=30, sums={"loss_sum": 9.0, "examples": 30.0})
    desk.put(desk.opened(2, header=header), after_s=1.0)
    desk.put(desk.arrived(2), after_s=3.0)
    desk.deliver(3, 4)
    received = [r for r in desk.records if isinstance(r, UpdateReceived)]
    assert [r.seconds for r in received] == [2.0, 6.0, 6.0, 6.0]
    attempt = desk.attempt
    desk.aggregated()
    assert attempt.answers[name(2)] == Answer(6.0, {"loss_sum": 9.0, "examples": 30.0})
    done = next(r for r in desk.records if isinstance(r, RoundFinished) and r.round == 1)
    assert done.spread == desk.federation.rounds[-1].spread == spread_of([10, 10, 10, 30])


def test_local_mistakes_raise(desk: Desk) -> None:
    attempt = desk.attempt
    with pytest.raises(LocalProtocolError):
        attempt.begin(frozenset({name(1)}), 0.0)
    with pytest.raises(LocalProtocolError):
        attempt.handle(Operator("pause"), 0.0)
    fresh = RoundCoordinator(attempt.frame, number=1, attempt=1, base=attempt.base, started=0.0)
    with pytest.raises(LocalProtocolError):
        fresh.begin(frozenset(), 0.0)
