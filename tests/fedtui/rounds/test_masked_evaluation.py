"""A masked evaluation: sums of all who measure together, or no score; nothing is written down."""

import pytest
from masked_desk import BASE, DEADLINES, NODES, MaskedDesk, later, node

from fedtui.learning.metrics import sums_for
from fedtui.rounds import splitting
from fedtui.rounds.attempt import Peer
from fedtui.rounds.machine import Joined, Left, Persist, RefuseUpdate, Send
from fedtui.rounds.masked import GRACE_S, Phase
from fedtui.rounds.masked_evaluation import MaskedEvaluation
from fedtui.wire.masked_messages import Mailbox, MaskedSums, Roster, Survivors, Votes
from fedtui.wire.messages import Abort, Evaluate, Evaluation

P = Phase
ASKED = [P.COLLECTING, P.SHARING, P.MASKING, P.VOTING, P.REVEALING]
STEP = dict(zip(ASKED, MaskedDesk.STEPS[1:], strict=True))
TOLD = dict(zip(ASKED, [Evaluate, Roster, Mailbox, Survivors, Votes], strict=True))


def asked(phase: Phase = P.COLLECTING) -> MaskedDesk:
    return MaskedDesk(6, evaluation=True).until(phase)


def finish(desk: MaskedDesk, nodes: list[int]) -> None:
    for phase in ASKED:
        if phase is desk.phase:
            getattr(desk, STEP[phase])(*nodes)
    if desk.phase is P.REVEALING:
        desk.wait(GRACE_S)
    assert desk.phase is P.FINISHED, desk.machine.failure


def exact(desk: MaskedDesk, nodes: list[int]) -> bool:
    names = desk.machine.encoding.scalars
    return desk.machine.sums == {n: sum(desk.scalars(i)[n] for i in nodes) for n in names}


def test_the_sums_of_all_are_the_score_and_nobodys_are_known() -> None:
    desk = asked()
    assert all(isinstance(desk.inbox[node(i)][0], Evaluate) for i in range(6))
    first = desk.inbox[node(0)][0]
    assert (first.round, first.attempt, first.cohort_size) == (1, 1, 6)
    finish(desk, list(range(6)))
    assert exact(desk, list(range(6)))
    assert desk.machine.over
    assert desk.machine.deadline is None
    assert not [e for e in desk.effects if isinstance(e, Persist)]
    assert len(desk.records) == 1, "an evaluation writes nothing down before its score"


@pytest.mark.parametrize("metric", ["r2", "macro_f1"])
def test_sums_that_travel_in_parts_or_in_numbers_are_whole_again(metric: str) -> None:
    desk = MaskedDesk(6, evaluation=True, metric=metric).until(P.COLLECTING)
    finish(desk, list(range(6)))
    names = desk.machine.encoding.scalars
    added = {name: sum(desk.scalars(i)[name] for i in range(6)) for name in names}
    assert desk.machine.sums == splitting.joined(metric, added)
    assert tuple(desk.machine.sums) == sums_for(metric)


def test_the_outcome_is_a_record_and_a_message() -> None:
    desk = asked(P.REVEALING)
    assert desk.machine.result() is None
    sums = {"loss_sum": 60.0, "correct": 6.0, "examples": 12.0}
    desk.machine._sums = sums
    record, message = desk.machine.result()
    assert (record.score, record.num_nodes, record.sums) == (0.5, 6, sums)
    assert (message.score, message.num_nodes, message.num_examples) == (0.5, 6, 12)
    desk.machine._sums = {"loss_sum": 1.0, "correct": 13.0, "examples": 12.0}
    assert desk.machine.result() is None, "sums that are no number are no score"


@pytest.mark.parametrize("phase", ASKED)
@pytest.mark.parametrize("how", ["leaves", "declines", "late"])
def test_R3_lost_in_a_phase_within_the_limit_the_sums_are_exact(phase, how: str) -> None:
    desk = asked(phase)
    for number in (0, 1):
        if how == "leaves":
            desk.leave(number)
        elif how == "declines":
            desk.say(number, Evaluation(incarnation=1, round=1, sums={}, reason="paused"))
    rest = [2, 3, 4, 5]
    getattr(desk, STEP[phase])(*rest)
    if desk.phase is phase and phase is not P.REVEALING:
        desk.wait(DEADLINES.evaluate_s)
    finish(desk, rest)
    survivors = rest if ASKED.index(phase) < 3 else list(range(6))
    assert exact(desk, survivors)
    assert desk.machine.survivors == tuple(node(i) for i in survivors)


@pytest.mark.parametrize("phase", ASKED[1:])
def test_R3_P3_one_more_and_there_is_no_score_but_a_reason(phase) -> None:
    desk = asked(phase)
    desk.leave(0, 1, 2)
    assert desk.phase is P.FAILED
    assert f"while {phase.value}: 3 of 6 nodes" in desk.machine.failure
    assert desk.machine.result() is None
    told = [e for e in desk.effects if isinstance(e, Send)]
    assert {e.node for e in told} == {node(i) for i in (3, 4, 5)}
    assert all(isinstance(e.message, Abort) for e in told)
    assert len(desk.records) == 1


def test_a_vector_that_is_none_ends_it_without_a_score() -> None:
    desk = asked(P.MASKING)
    desk.mask(1, 2, 3, 4, 5)
    desk.cover(0)
    noise = bytes(range(desk.machine.encoding.num_bytes))
    desk.say(0, MaskedSums(**desk.which, words=noise))
    desk.vote(*range(6))
    desk.reveal(*range(6))
    assert desk.phase is P.FAILED
    assert "does not come from 6 whole vectors" in desk.machine.failure
    assert desk.machine.result() is None


def test_R6_double_late_and_misshaped_sums() -> None:
    desk = asked(P.MASKING)
    desk.mask(0)
    desk.say(0, MaskedSums(**desk.which, words=bytes(desk.machine.encoding.num_bytes)))
    desk.say(0, MaskedSums(**desk.which, words=b""))
    desk.say(1, later(MaskedSums(**desk.which, words=b"x" * 8), attempt=2))
    assert len(desk.machine.awaited) == 6
    desk.say(5, MaskedSums(**desk.which, words=b"x" * 8))
    assert desk.machine.members[node(5)].reason == "what it sent does not belong to this round"
    desk.mask(1, 2, 3, 4)
    assert desk.phase is P.VOTING
    desk.say(0, MaskedSums(**desk.which, words=bytes(desk.machine.encoding.num_bytes)))
    finish(desk, [0, 1, 2, 3, 4])
    assert exact(desk, [0, 1, 2, 3, 4]), "the first ones count"


def test_sums_in_the_clear_are_not_listened_to() -> None:
    desk = asked()
    desk.say(0, Evaluation(incarnation=1, round=1, sums={"examples": 1.0}, reason=""))
    desk.say(0, Evaluation(incarnation=1, round=2, sums={}, reason="no"))
    assert len(desk.machine.awaited) == 6
    (refused,) = desk.put(desk.opened(0))
    assert isinstance(refused, RefuseUpdate)


def test_R6_a_refusal_of_another_life_costs_nobody() -> None:
    desk = asked()
    desk.say(0, Evaluation(incarnation=0, round=1, sums={}, reason="paused"))
    assert len(desk.machine.awaited) == 6


@pytest.mark.parametrize("phase", ASKED)
def test_who_comes_back_is_asked_again(phase) -> None:
    desk = asked(phase)
    desk.put(Left(node(0)))
    (again,) = desk.put(Joined(node(0), "participant", NODES[0].public, 1), after_s=1.0)
    assert isinstance(again.message, TOLD[phase])
    finish(desk, list(range(6)))
    assert exact(desk, list(range(6)))


# ---- after a restart: who should measure is not back yet


def coming(desk: MaskedDesk) -> MaskedEvaluation:
    """Nobody is here; all six may come within three seconds."""
    machine = MaskedEvaluation(desk.frame(), number=1, attempt=2, base=BASE, started=desk.now)
    nodes = [node(i) for i in range(6)]
    desk.machine = machine
    desk.inbox.clear()
    desk._take(machine.ask(frozenset(nodes), dict.fromkeys(nodes, desk.now + 3.0), desk.now))
    desk.halves = [desk.half(i, seed=1) for i in range(6)]
    return machine


def test_R1_who_comes_back_after_a_restart_brings_its_keys_and_is_asked() -> None:
    desk = MaskedDesk(6, evaluation=True)
    machine = coming(desk)
    assert machine.deadline == desk.now + 3.0
    for number in range(5):
        (told,) = desk.put(Joined(node(number), "participant", NODES[number].public, 1))
        assert isinstance(told.message, Evaluate)
    desk.wait(3.0)
    assert len(machine.awaited) == 5
    finish(desk, [0, 1, 2, 3, 4])
    assert exact(desk, [0, 1, 2, 3, 4])
    assert machine._peers.keys() == {node(i) for i in range(5)}
    assert machine._peers[node(0)] == Peer(NODES[0].public, 1)


def test_with_nobody_to_ask_it_is_over_at_once() -> None:
    desk = MaskedDesk(6, evaluation=True)
    machine = MaskedEvaluation(desk.frame(), number=1, attempt=2, base=BASE, started=desk.now)
    assert machine.ask(frozenset(), {}, desk.now) == []
    assert machine.over
    assert machine.result() is None
    few = MaskedEvaluation(desk.frame(), number=1, attempt=2, base=BASE, started=desk.now)
    effects = few.ask(frozenset({node(0), node(1)}), {}, desk.now)
    assert few.over, "two nodes are no sum"
    assert isinstance(effects[-1].message, Abort)


def test_who_is_asked_is_told_how_long_it_may_take() -> None:
    desk = asked()
    d = DEADLINES
    said = desk.inbox[node(0)][0].deadline_s
    assert said == d.evaluate_s + d.share_s + d.mask_s + d.reveal_s
