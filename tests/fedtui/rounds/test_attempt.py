"""What visible and masked attempts share: a cohort is asked, comes and goes, and uploads once."""

import pytest
from desk import MANIFEST, make_plan, name
from masked_desk import BASE, BOSS, MaskedDesk

from fedtui.errors import CloseCode, LocalProtocolError
from fedtui.rounds.attempt import MAX_REASON_CELLS, Attempt, Frame
from fedtui.rounds.cohort import Standing
from fedtui.rounds.coordinator import RoundCoordinator
from fedtui.rounds.machine import (
    AcceptUpdate,
    Acknowledge,
    Joined,
    Left,
    Operator,
    Persist,
    RefuseUpdate,
    Said,
    Send,
    Tick,
    UpdateArrived,
    UpdateBroken,
    UpdateOpened,
)
from fedtui.rounds.masked import Phase
from fedtui.rounds.masked_round import MaskedRound
from fedtui.rounds.plan import PrivacySection
from fedtui.rounds.records import RoundFailed, RoundStarted
from fedtui.wire.messages import Abort, Accepting, Declining, Offer, Progress

NODES = frozenset(name(i) for i in range(1, 5))
WHICH = {"incarnation": 1, "round": 1, "attempt": 1}


@pytest.fixture(params=[RoundCoordinator, MaskedRound])
def attempt(request) -> Attempt:
    """An attempt of four nodes that has begun at 0."""
    updates = "masked" if request.param is MaskedRound else "visible"
    frame = Frame(
        plan=make_plan(privacy=PrivacySection(updates=updates)),
        plan_hash=b"p" * 32,
        manifest_digest=MANIFEST,
        incarnation=1,
        identity=BOSS,
        federation_id=b"f" * 32,
        num_values=4,
    )
    made = request.param(frame, number=1, attempt=1, base=BASE, started=0.0)
    effects = made.begin(NODES, 0.0)
    (started,) = [e.record for e in effects if isinstance(e, Persist)]
    assert isinstance(started, RoundStarted)
    assert (started.cohort, started.phase, started.deadline) == (
        tuple(sorted(NODES)),
        "INVITING",
        20.0,
    )
    assert {e.node for e in effects if isinstance(e, Send)} == NODES
    return made


def say(attempt: Attempt, number: int, kind: type, /, **more: object) -> list:
    return attempt.handle(Said(name(number), kind(**(WHICH | more))), 1.0)


def test_an_attempt_begins_once_and_with_somebody(attempt: Attempt) -> None:
    with pytest.raises(LocalProtocolError):
        attempt.begin(NODES, 0.0)
    fresh = type(attempt)(attempt.frame, number=1, attempt=2, base=BASE, started=0.0)
    with pytest.raises(LocalProtocolError):
        fresh.begin(frozenset(), 0.0)


def test_what_does_not_belong_to_a_round_is_a_local_mistake(attempt: Attempt) -> None:
    with pytest.raises(LocalProtocolError, match="Operator"):
        attempt.handle(Operator("pause"), 1.0)


def test_accepting_progress_and_declining(attempt: Attempt) -> None:
    say(attempt, 1, Accepting)
    say(attempt, 1, Progress, stage="train", fraction=0.5)
    member = attempt.members[name(1)]
    assert (member.standing, member.stage, member.fraction) == (Standing.TRAINING, "train", 0.5)
    say(attempt, 2, Declining, reason="\x1b[31mbusy" + "x" * 500)
    declined = attempt.members[name(2)]
    assert declined.standing is Standing.DECLINED
    assert "\x1b" not in declined.reason
    assert len(declined.reason) <= MAX_REASON_CELLS
    assert name(2) not in attempt.awaited
    say(attempt, 2, Accepting)
    assert declined.standing is Standing.DECLINED, "who is out stays out"


@pytest.mark.parametrize("wrong", [{"round": 2}, {"attempt": 2}, {"incarnation": 0}])
@pytest.mark.parametrize("kind", [Accepting, Declining])
def test_R6_what_names_another_attempt_or_life_changes_nothing(attempt, kind, wrong) -> None:
    more = {"reason": "no"} if kind is Declining else {}
    assert say(attempt, 1, kind, **more, **wrong) == []
    assert attempt.members[name(1)].standing is Standing.OFFERED
    assert say(attempt, 9, kind, **more) == []


def test_who_comes_back_in_time_is_offered_the_rest_of_it(attempt: Attempt) -> None:
    attempt.handle(Left(name(1)), 1.0)
    assert attempt.deadline == 4.0
    (again,) = attempt.handle(Joined(name(1), "participant"), 3.0)
    assert isinstance(again.message, Offer)
    first = attempt._offer(0.0)
    assert isinstance(first, Offer)
    assert first.deadline_s - again.message.deadline_s == pytest.approx(3.0)
    assert again.message.accept_s == pytest.approx(2.0)
    attempt.handle(Tick(), 4.5)
    assert name(1) in attempt.awaited
    assert attempt.handle(Joined(name(9), "participant"), 3.0) == []


def test_who_is_gone_for_good_or_too_long_is_out(attempt: Attempt) -> None:
    attempt.handle(Left(name(1), for_good=True), 1.0)
    assert attempt.members[name(1)].reason == "left the federation"
    attempt.handle(Left(name(2)), 1.0)
    attempt.handle(Tick(), 4.0)
    assert "did not come back in time" in attempt.members[name(2)].reason
    assert attempt.handle(Joined(name(2), "participant"), 4.0) == []


def test_aborting_tells_everybody_who_may_be_at_work_and_is_durable(attempt: Attempt) -> None:
    say(attempt, 1, Declining, reason="no")
    effects = attempt.abort("ended by its operator")
    told = {e.node for e in effects if isinstance(e, Send) and isinstance(e.message, Abort)}
    assert told == NODES - {name(1)}
    assert effects[0] == Persist(RoundFailed(1, 1, cause="ended by its operator"))
    assert attempt.over
    assert attempt.failure == "ended by its operator"
    assert not attempt.burnt
    assert attempt.abort("again") == []


# ---- uploads, of a masked attempt that takes them


def sending() -> MaskedDesk:
    desk = MaskedDesk(6).until(Phase.MASKING)
    for number in range(6):
        desk.cover(number)
    return desk


def refusal(effects: list) -> RefuseUpdate:
    (effect,) = effects
    assert isinstance(effect, RefuseUpdate)
    return effect


def test_an_update_counts_once_however_often_it_is_sent() -> None:
    desk = sending()
    opened = desk.opened(0)
    for _ in range(2):
        (accepted,) = desk.put(opened)
        assert isinstance(accepted, AcceptUpdate)
    assert [type(e) for e in desk.put(desk.arrived(0))] == [Persist, Acknowledge]
    for event in (desk.arrived(0), opened):
        assert desk.put(event) == [Acknowledge(opened.node, 0, opened.digest)]
    assert refusal(desk.put(desk.opened(0, digest=b"x" * 32))).code == CloseCode.PROTOCOL
    assert len(desk.machine.contributions) == 1


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"attempt": 2}, CloseCode.LIMIT, "round 1 attempt 2 is over"),
        ({"incarnation": 9}, CloseCode.LIMIT, "round 1 attempt 1 is over"),
        ({"node": b"s" * 32}, CloseCode.PROTOCOL, "did not accept"),
    ],
)
def test_what_is_not_of_this_attempt_is_refused_and_costs_nobody(changes, code, words) -> None:
    desk = sending()
    refused = refusal(desk.put(desk.opened(0, **changes)))
    assert refused.code == code
    assert words in refused.reason
    assert len(desk.machine.awaited) == 6


def test_an_update_that_was_not_opened_or_changed_on_the_way_does_not_arrive() -> None:
    desk = sending()
    assert isinstance(refusal(desk.put(desk.arrived(0))), RefuseUpdate)
    desk.put(desk.opened(1))
    other = UpdateArrived(desk.opened(1).node, 1, 1, 1, b"other".ljust(32))
    assert "too late" in refusal(desk.put(other)).reason
    assert desk.machine.contributions == {}


def test_a_broken_update_costs_its_node_only_and_only_in_its_attempt() -> None:
    desk = sending()
    opened: UpdateOpened = desk.opened(0)
    desk.put(opened)
    desk.put(UpdateBroken(opened.node, 0, 1, 2, reason="bits"))
    assert opened.node in desk.machine.awaited
    desk.put(UpdateBroken(opened.node, 0, 1, 1, reason="bits"))
    assert desk.machine.members[opened.node].reason == "its update was refused: bits"
    assert "out of the round" in refusal(desk.put(opened)).reason
    assert len(desk.machine.awaited) == 5


def test_without_accepting_nothing_is_taken(attempt: Attempt) -> None:
    opened = UpdateOpened(
        name(1), 1, **WHICH, num_bytes=16, digest=b"u" * 32, manifest_digest=MANIFEST, header=None
    )
    assert "did not accept" in refusal(attempt.handle(opened, 1.0)).reason
