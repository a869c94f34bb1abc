"""A masked attempt and messages that are late, double, foreign or wrong; and who comes back."""

import pytest
from masked_desk import BASE, BOSS, DEADLINES, NODES, MaskedDesk, later, node
from test_masked import STEP, TIMES, TOLD, P

from fedtui.errors import LocalProtocolError
from fedtui.rounds import masking
from fedtui.rounds.attempt import Frame, Peer
from fedtui.rounds.cohort import Standing
from fedtui.rounds.machine import Joined, Left, Persist, RefuseUpdate, Said, Send, Tick
from fedtui.rounds.masked import TRANSITIONS, Phase
from fedtui.rounds.masked_round import MaskedRound
from fedtui.rounds.picking import Terms
from fedtui.rounds.records import SurvivorsChosen
from fedtui.wire.messages import Declining, Offer, Roster, Survivors, Votes


def everything(desk: MaskedDesk, number: int) -> list:
    """All that a node said or could say by now, and its neighbours' words for other attempts."""
    half, said = desk.halves[number], [desk.halves[number].advertise()]
    for kind, answer in (
        (Roster, half.share),
        (Survivors, half.vote),
        (Votes, half.reveal),
    ):
        if any(isinstance(m, kind) for m in desk.inbox[node(number)]):
            said.append(answer(desk.heard(number, kind)))
    return said


@pytest.mark.parametrize("phase", [*list(TIMES)[1:], P.AGGREGATING])
def test_R6_late_double_and_foreign_messages_change_nothing(phase) -> None:
    desk = MaskedDesk(6).until(phase if phase is not P.AGGREGATING else P.REVEALING)
    step = STEP.get(phase, "reveal")
    if phase is P.AGGREGATING:
        desk.reveal(*range(6))
    else:
        getattr(desk, step)(0)
    num, answered = len(desk.records), desk.machine.num_answered
    for message in everything(desk, 0):
        for said in (message, later(message, attempt=2), later(message, round=9)):
            assert desk.say(0, said) in ([], [Send(node(0), desk.inbox[node(0)][-1])])
        assert desk.put(_said_by_a_stranger(message)) == []
    for wrong in ({"attempt": 2}, {"round": 2}, {"incarnation": 0}):
        assert desk.say(1, later(_declining(desk), **wrong)) == []
    assert desk.phase is phase
    assert len(desk.records) == num
    assert desk.machine.num_answered == answered
    assert len(desk.machine.awaited) == 6


@pytest.mark.parametrize("phase", [P.COLLECTING, P.SHARING, P.VOTING, P.REVEALING])
def test_R6_an_answer_that_names_another_attempt_does_not_count(phase) -> None:
    desk = MaskedDesk(6).until(phase)
    message = everything(desk, 1)[-1]
    for wrong in ({"attempt": 2}, {"round": 9}):
        assert desk.say(1, later(message, **wrong)) == []
        assert desk.machine.num_answered == 0
        assert node(1) in desk.machine.awaited
    desk.say(1, message)
    assert desk.machine.num_answered == 1


def _declining(desk: MaskedDesk) -> Declining:
    return Declining(**desk.which, reason="no")


def _said_by_a_stranger(message) -> Said:
    return Said(b"stranger".ljust(32), message)


@pytest.mark.parametrize("phase", [P.SHARING, P.MASKING, P.REVEALING])
def test_answers_of_other_phases_are_no_answers(phase) -> None:
    desk = MaskedDesk(6).until(phase)
    ready = desk.halves[0].advertise()
    desk.say(0, later(ready, mask_key=b"k" * 32))
    assert desk.phase is phase
    assert node(0) in desk.machine.awaited


def test_a_vote_in_another_nodes_name_does_not_count() -> None:
    desk = MaskedDesk(6).until(P.VOTING)
    desk.say(1, desk.ballot(0))
    desk.say(2, later(desk.ballot(2), survivors=bytes(32)))
    (half,) = desk.machine.secret.groups.values()
    assert half.num_votes == 0
    desk.vote(1, 2, 3, 4)
    assert desk.phase is P.REVEALING, "who was misnamed may still vote"


@pytest.mark.parametrize(
    ("phase", "kind", "changes", "reason"),
    [
        (P.COLLECTING, "advertise", {"signature": bytes(64)}, "its keys for the round"),
        (P.COLLECTING, "advertise", {"mask_key": bytes(32)}, "its keys for the round"),
        (P.SHARING, "share", {"sealed": ()}, "does not belong to this round"),
        (P.REVEALING, "reveal", {"selves": "masks"}, "does not belong to this round"),
    ],
)
def test_a_wrong_answer_is_a_nodes_last_word_and_costs_only_itself(
    phase, kind: str, changes: dict, reason: str
) -> None:
    desk = MaskedDesk(6).until(phase)
    message = everything(desk, 0)[-1]
    if changes == {"selves": "masks"}:
        changes = {"selves": (), "masks": message.selves}
    desk.say(0, later(message, **changes))
    assert reason in desk.machine.members[node(0)].reason
    for step in MaskedDesk.STEPS[list(TIMES).index(phase) :]:
        getattr(desk, step)(*range(1, 6))
    assert desk.sum_is_exact()
    assert kind in {"advertise", "share", "reveal"}


def test_ready_of_who_is_not_known_does_not_count() -> None:
    desk = MaskedDesk(6)
    desk.machine.introduce({})
    desk.accept(1)
    desk.ready(1)
    assert desk.machine.num_answered == 0
    assert desk.say(9, desk.halves[1].advertise()) == []


def test_R6_a_ready_that_overtakes_its_accepting_counts() -> None:
    desk = MaskedDesk(6)
    desk.ready(0)
    desk.accept(*range(6))
    desk.ready(*range(1, 6))
    assert desk.phase is P.SHARING


# ---- coming back


@pytest.mark.parametrize("phase", list(TIMES))
def test_who_comes_back_is_told_what_it_is_asked_and_nothing_once_it_answered(phase) -> None:
    desk = MaskedDesk(6).until(phase)
    if phase is not P.INVITING:
        desk.put(Left(node(0)))
        desk.put(Joined(node(0), "participant"), after_s=DEADLINES.rejoin_s / 2)
        (again,) = [e.message for e in desk.effects if isinstance(e, Send)]
        first = desk.heard(0, TOLD[phase])
        assert type(again) is TOLD[phase]
        if phase is not P.COLLECTING:  # an offer says how much time is left
            assert again == first
    getattr(desk, STEP[phase])(0)
    desk.put(Left(node(0)))
    told = desk.put(Joined(node(0), "participant"))
    assert [type(e.message) for e in told] == ([Offer] if phase is P.INVITING else [])
    desk.wait(DEADLINES.rejoin_s)
    assert node(0) in desk.machine.awaited


def test_in_revealing_who_has_not_voted_is_asked_for_its_vote_first() -> None:
    desk = MaskedDesk(6).until(P.VOTING)
    desk.vote(0, 1, 2, 3)
    for number, kind in ((0, Votes), (5, Survivors)):
        desk.put(Left(node(number)))
        (told,) = desk.put(Joined(node(number), "participant"))
        assert isinstance(told.message, kind)


# ---- local mistakes


def test_a_masked_attempt_needs_keys_and_a_beginning() -> None:
    desk = MaskedDesk(6)
    bare = Frame(plan=desk.plan, plan_hash=b"p" * 32, manifest_digest=b"m" * 32, incarnation=1)
    kwargs = {"number": 1, "attempt": 1, "base": desk.machine.base, "started": 0.0}
    with pytest.raises(LocalProtocolError, match="identity"):
        MaskedRound(bare, **kwargs)
    fresh = MaskedRound(desk.frame(), **kwargs)
    with pytest.raises(LocalProtocolError, match="not begun"):
        _ = fresh.secret
    with pytest.raises(LocalProtocolError, match="no way from"):
        fresh._enter(P.REVEALING)
    assert BOSS.id == desk.machine.secret.attempt.coordinator_id


def test_a_tick_before_its_time_changes_nothing() -> None:
    for phase in TIMES:
        desk = MaskedDesk(6).until(phase)
        due = desk.machine.deadline
        assert due == pytest.approx(desk.now + TIMES[phase])
        desk.put(Tick(), after_s=due - desk.now - 0.001)
        assert desk.phase is phase
        assert len(desk.machine.awaited) == 6


def test_survivors_are_durable_before_anybody_is_told() -> None:
    desk = MaskedDesk(6).until(P.MASKING)
    desk.mask(0, 1, 2, 3, 4)
    desk.cover(5)
    desk.put(desk.opened(5))
    effects = desk.put(desk.arrived(5))
    chosen = [type(e.record) for e in effects if isinstance(e, Persist)]
    assert SurvivorsChosen in chosen
    assert sum(isinstance(e, Send) and isinstance(e.message, Survivors) for e in effects) == 6
    late = desk.put(desk.opened(5, digest=b"x" * 32))
    assert isinstance(late[0], RefuseUpdate)


def test_every_phase_has_a_way_out_to_failed() -> None:
    for phase in list(Phase)[:7]:
        assert (phase, P.FAILED) in {(start, end) for (start, _), end in TRANSITIONS.items()}


def test_a_round_with_more_invited_than_wanted_goes_on_when_the_wanted_are_ready() -> None:
    desk = MaskedDesk(6)
    desk.machine.terms = Terms(enough=5)
    desk.accept(0, 1, 2, 3, 4, 5)
    desk.ready(0, 1, 2, 3)
    assert desk.phase is Phase.COLLECTING
    desk.now += 2.0
    desk.ready(4)
    assert desk.phase is Phase.SHARING
    assert len(desk.heard(0, Roster).entries) == 5
    late = desk.machine.members[node(5)]
    assert (late.standing, late.late) == (Standing.LOST, False)
    took = [desk.machine.members[node(n)].took_s for n in range(6)]
    assert took == [0.0] * 4 + [2.0, 0.0]


def test_what_time_is_left_for_the_work_is_in_the_terms() -> None:
    desk = MaskedDesk(6)
    machine = MaskedRound(desk.frame(), number=1, attempt=1, base=BASE, started=desk.now)
    machine.introduce({n.id: Peer(n.public, 1) for n in NODES[:6]})
    machine.terms = Terms(within_s=7.0)
    effects = machine.begin(frozenset(n.id for n in NODES[:6]), 0.0)
    (offer, *_) = [e.message for e in effects if isinstance(e, Send)]
    assert offer.deadline_s == 7.0 + masking.opening_s(desk.plan)
    assert machine.deadline == DEADLINES.accept_s
