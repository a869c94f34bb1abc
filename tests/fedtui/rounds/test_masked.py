"""A masked attempt, phase by phase: by answers, by deadlines, at the limits, and out of turn."""

import pytest
from masked_desk import DEADLINES, MaskedDesk, later, node

from fedtui.rounds.machine import Aggregate, Left, Send
from fedtui.rounds.masked import GRACE_S, Phase
from fedtui.rounds.records import PhaseEntered, RoundFailed
from fedtui.wire.codec import decode, encode
from fedtui.wire.masked_messages import Mailbox, Roster, Survivors, Votes
from fedtui.wire.messages import Abort, Control, Offer

P = Phase
TOLD = {
    P.COLLECTING: Offer,
    P.SHARING: Roster,
    P.MASKING: Mailbox,
    P.VOTING: Survivors,
    P.REVEALING: Votes,
}
BEFORE = {P.SHARING: "ready", P.MASKING: "share", P.VOTING: "mask", P.REVEALING: "vote"}
TIMES = {
    P.INVITING: DEADLINES.accept_s,
    P.COLLECTING: DEADLINES.update_s,
    P.SHARING: DEADLINES.share_s,
    P.MASKING: DEADLINES.mask_s,
    P.VOTING: DEADLINES.reveal_s,
    P.REVEALING: DEADLINES.reveal_s,
}
STEP = dict(zip(TIMES, MaskedDesk.STEPS, strict=True))


def failed(desk: MaskedDesk) -> str:
    """The sentence of a failure, which is durable and told to whoever is still in it."""
    assert desk.phase is P.FAILED
    assert desk.machine.over
    assert desk.machine.deadline is None
    assert desk.records[-1] == RoundFailed(1, 1, cause=desk.machine.failure)
    for effect in desk.effects:
        if isinstance(effect, Send):
            decode(encode(effect.message), Control)
    return desk.machine.failure


def test_a_round_step_by_step() -> None:
    desk = MaskedDesk(6)
    for number in range(6):
        assert [type(m) for m in desk.inbox[node(number)]] == [Offer]
    for phase, kind in TOLD.items():
        getattr(desk, MaskedDesk.STEPS[list(Phase).index(phase) - 1])(*range(6))
        assert desk.phase is phase
        assert desk.records[-1].phase == phase.name
        assert all(isinstance(desk.inbox[node(i)][-1], kind) for i in range(6))
    desk.reveal(*range(6))
    assert desk.phase is P.AGGREGATING
    assert desk.machine.deadline is None
    assert desk.sum_is_exact()
    desk.aggregated()
    assert desk.phase is P.FINISHED
    assert desk.machine.over
    entered = [r.phase for r in desk.records if isinstance(r, PhaseEntered)]
    assert entered == [phase.name for phase in list(Phase)[1:7]]


def test_the_offer_leaves_time_for_the_whole_conversation() -> None:
    (offer,) = MaskedDesk(6).inbox[node(0)]
    d = DEADLINES
    assert offer.deadline_s == d.update_s + d.share_s + d.mask_s + d.reveal_s
    assert (offer.accept_s, offer.cohort_size) == (d.accept_s, 6)


# ---- the limits: n = 6, one colluder: quorum and threshold 4; sums of 4 or 5


@pytest.mark.parametrize("how", ["leaves", "deadline", "away"])
@pytest.mark.parametrize("phase", list(TIMES))
@pytest.mark.parametrize("num", [1, 2])
def test_R3_lost_in_a_phase_up_to_the_limit_the_sum_is_exact(phase, num: int, how: str) -> None:
    desk = MaskedDesk(6).until(phase)
    lost = tuple(range(num))
    _lose(desk, phase, lost, how)
    after = list(TIMES)[list(TIMES).index(phase) :]
    for step in (STEP[p] for p in after):
        open_still = desk.phase not in {P.AGGREGATING, P.FAILED}
        if open_still and (step != STEP[phase] or how == "leaves"):
            getattr(desk, step)(*range(num, 6))
    if desk.phase is P.REVEALING:  # who could still come gets a moment
        desk.wait(GRACE_S)
    assert desk.sum_is_exact()
    late = phase in {P.VOTING, P.REVEALING}
    assert len(desk.machine.survivors) == (6 if late else 6 - num)


def _lose(desk: MaskedDesk, phase: Phase, lost: tuple[int, ...], how: str) -> None:
    """These are lost in this phase; for a deadline the others have answered before it."""
    rest = [i for i in range(6) if i not in lost]
    if how == "leaves":
        desk.leave(*lost)
        return
    if how == "away":
        for number in lost:
            desk.put(Left(node(number)))
    getattr(desk, STEP[phase])(*rest)
    if desk.phase is phase:  # votes and shares need not wait for all
        desk.wait(DEADLINES.rejoin_s if how == "away" else TIMES[phase])


@pytest.mark.parametrize("phase", list(TIMES)[2:])
@pytest.mark.parametrize("how", ["leaves", "deadline"])
def test_R3_P3_one_more_than_the_limit_fails_with_phase_and_counts(phase, how: str) -> None:
    desk = MaskedDesk(6).until(phase)
    if how == "leaves":
        desk.leave(0, 1, 2)
    else:
        getattr(desk, STEP[phase])(3, 4, 5)
        assert desk.phase is phase
        desk.wait(TIMES[phase])
    verb = "answered" if phase in {P.VOTING, P.REVEALING} else "were left"
    sentence = failed(desk)
    assert sentence.startswith(f"while {phase.value}: 3 of 6 nodes {verb}, 4 are needed (3: ")
    told = {e.node for e in desk.effects if isinstance(e, Send) and isinstance(e.message, Abort)}
    assert {node(i) for i in (3, 4, 5)} <= told
    assert not [e for e in desk.effects if isinstance(e, Aggregate)], "nothing is opened"
    assert desk.machine.burnt == (phase in {P.VOTING, P.REVEALING})


@pytest.mark.parametrize("phase", [P.INVITING, P.COLLECTING])
def test_R3_P3_before_the_roster_the_minimum_of_the_plan_counts(phase) -> None:
    desk = MaskedDesk(6, minimum=4).until(phase)
    desk.leave(0, 1)
    assert desk.phase is phase
    desk.leave(2)
    assert failed(desk).startswith(f"while {phase.value}: 3 of 6 nodes were left, 4 are needed")
    assert not desk.machine.burnt


@pytest.mark.parametrize("phase", [P.SHARING, P.MASKING])
def test_R3_P3_a_minimum_above_the_quorum_counts_until_survivors_are_chosen(phase) -> None:
    desk = MaskedDesk(6, minimum=5).until(phase)
    desk.leave(0)
    assert desk.phase is phase
    desk.leave(1)
    assert failed(desk).startswith(f"while {phase.value}: 4 of 6 nodes were left, 5 are needed")


def test_R3_after_the_choice_only_quorum_and_threshold_count() -> None:
    desk = MaskedDesk(6, minimum=5).until(P.MASKING)
    desk.leave(0)
    desk.mask(1, 2, 3, 4, 5)
    desk.vote(1, 2, 3, 4)
    desk.leave(5)  # n - t = 2 in all
    desk.reveal(1, 2, 3, 4)
    assert desk.sum_is_exact()
    assert len(desk.machine.survivors) == 5


@pytest.mark.parametrize("phase", [P.SHARING, P.MASKING, P.VOTING, P.REVEALING])
def test_R3_P3_of_three_none_may_be_lost_once_the_roster_is_out(phase) -> None:
    desk = MaskedDesk(3).until(phase)
    desk.leave(1)
    assert "2 of 3 nodes" in failed(desk)
    assert "3 are needed" in failed(desk)


def test_losses_add_up_over_the_phases() -> None:
    desk = MaskedDesk(10)  # two colluders: quorum 7
    desk.leave(9)
    desk.until(P.SHARING, without=(9,))  # nine are in the roster: quorum 6
    desk.leave(8)
    desk.share(*range(8))
    desk.leave(7)
    desk.mask(*range(7))
    desk.vote(*range(6))
    desk.leave(6)
    desk.reveal(*range(6))
    assert desk.sum_is_exact()
    assert desk.machine.survivors == tuple(node(i) for i in range(7))


# ---- not all need be waited for


def test_a_quorum_of_votes_makes_the_certificate_and_the_rest_may_still_reveal() -> None:
    desk = MaskedDesk(6).until(P.VOTING)
    desk.vote(0, 1, 2)
    assert desk.phase is P.VOTING
    desk.vote(3)
    assert desk.phase is P.REVEALING
    assert not any(isinstance(m, Votes) for m in desk.inbox[node(5)]), "it has not voted"
    desk.vote(5)
    assert isinstance(desk.inbox[node(5)][-1], Votes)
    desk.reveal(0, 1, 2, 3, 5)
    assert desk.phase is P.REVEALING
    assert desk.machine.deadline == desk.now + GRACE_S
    desk.wait(GRACE_S / 2)
    assert desk.phase is P.REVEALING
    desk.wait(GRACE_S / 2)
    assert desk.sum_is_exact()


def test_shares_that_cannot_be_opened_fail_the_attempt_when_nobody_is_left_to_ask() -> None:
    desk = MaskedDesk(6).until(P.REVEALING)
    for number in range(6):
        reveal = desk.halves[number].reveal(desk.heard(number, Votes))
        desk.say(number, later(reveal, selves=reveal.selves[:2]))
    assert "6 of 6 nodes answered" in failed(desk)
    assert desk.machine.burnt
