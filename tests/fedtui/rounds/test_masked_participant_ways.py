"""A node's machine under masks: how its work ends in each phase, and how it measures."""

import pytest
from masked_desk import BASE, DEADLINES, MaskedDesk, later
from masked_node import TRAINED, MaskedNode, side
from test_masked_participant import P, kinds, offer, result, revealed

from fedtui.rounds.machine import (
    CancelJob,
    DropUpdate,
    FetchModel,
    Heard,
    JobFailed,
    LocalOperator,
    Measure,
    Measured,
    ModelHere,
    Note,
    Say,
    StopUpload,
    Tell,
    Tick,
    UpdateAcknowledged,
    UpdateRefused,
)
from fedtui.rounds.masked_participant import MaskedParticipant
from fedtui.rounds.masking_steps import Journal, Prepared
from fedtui.rounds.plan import MASKED, VISIBLE
from fedtui.wire.masked_messages import (
    Mailbox,
    MaskedSums,
    Ready,
    Reveal,
    Roster,
    Shares,
    Survivors,
    Vote,
    Votes,
)
from fedtui.wire.messages import (
    Abort,
    Away,
    Declining,
    Ended,
    Evaluate,
    Evaluation,
    Leaving,
    Scored,
)

MASKED_PHASES = [P.SHARING, P.MASKING, P.UPLOADING, P.CONFIRMING]
STOPS = {P.MASKING: [CancelJob], P.UPLOADING: [StopUpload]}
SUMS = {"loss_sum": 2.0, "correct": 5.0, "examples": 10.0}


# ---- the operator, time, and failures, in each masked phase


@pytest.mark.parametrize("phase", MASKED_PHASES)
@pytest.mark.parametrize("command", ["pause", "leave"])
def test_R2_pausing_or_leaving_costs_only_this_node(phase, command) -> None:
    node = MaskedNode().until(phase)
    effects = node.put(LocalOperator(command))
    said = kinds([e for e in effects if not isinstance(e, DropUpdate)])
    last = Away if command == "pause" else Leaving
    assert said == [*STOPS.get(phase, []), Declining, last]
    assert (DropUpdate in kinds(effects)) == (command == "leave")
    assert node.machine.masked is None
    assert node.standing == "DECLINED"
    assert len(node.desk.machine.awaited) == 5
    if command == "pause":
        assert kinds(node.hear(offer(node.desk, attempt=2))) == [Declining, Tell]


@pytest.mark.parametrize("phase", MASKED_PHASES)
def test_work_that_is_not_done_in_time_is_given_up_and_said(phase) -> None:
    node = MaskedNode().until(phase)
    d = DEADLINES
    whole = d.update_s + d.share_s + d.mask_s + d.reveal_s
    assert node.machine.deadline == whole
    assert node.put(Tick(), after_s=whole - 0.1) == []
    assert kinds(node.put(Tick(), after_s=0.2)) == [*STOPS.get(phase, []), Declining, Tell]
    assert node.phase is P.IDLE


@pytest.mark.parametrize("phase", MASKED_PHASES)
def test_an_abort_ends_it_and_keeps_the_update_for_another_attempt(phase) -> None:
    node = MaskedNode().until(phase)
    for other in ({"attempt": 2}, {"round": 2}):
        wrong = Abort(**({"incarnation": 1, "round": 1, "attempt": 1, "reason": ""} | other))
        assert node.hear(wrong) == []
    effects = node.hear(Abort(incarnation=1, round=1, attempt=1, reason="few"))
    assert kinds(effects) == [*STOPS.get(phase, []), Tell]
    assert node.phase is P.IDLE
    assert Ready in kinds(node.hear(offer(node.desk, attempt=2)))


@pytest.mark.parametrize("phase", MASKED_PHASES)
def test_the_end_of_the_federation_ends_it(phase) -> None:
    node = MaskedNode().until(phase)
    ended = Ended(incarnation=1, reason="over", model=BASE, score=None)
    assert kinds(node.hear(ended)) == [*STOPS.get(phase, []), DropUpdate]
    assert node.phase is P.IDLE


def test_a_vector_that_cannot_be_made_is_declined() -> None:
    node = MaskedNode().until(P.MASKING)
    effects = node.put(JobFailed(1, 1, "the update holds NaN or Inf: nothing is sent"))
    assert kinds(effects) == [Declining, Tell]
    assert "NaN" in effects[0].reason
    assert node.phase is P.IDLE


def test_values_beyond_the_range_are_told_to_the_own_operator_only() -> None:
    node = MaskedNode().until(P.MASKING)
    told, note, upload = node.prepared(node.mailbox[-1], num_saturated=3)
    assert told == Tell(
        "warning", "round 1: 3 values were beyond the plan's value_range and were cut"
    )
    assert "3" not in note.what
    assert upload.header is None


@pytest.mark.parametrize("wrong", [(1, 2), (2, 1)])
def test_a_vector_of_another_attempt_is_not_sent(wrong) -> None:
    node = MaskedNode().until(P.MASKING)
    assert node.put(Prepared(*wrong, bytes(32), 100)) == []
    assert node.phase is P.MASKING


def test_a_receipt_of_another_digest_is_none_and_a_refusal_ends_it() -> None:
    node = MaskedNode().until(P.UPLOADING)
    assert node.put(UpdateAcknowledged(TRAINED.digest)) == []
    assert node.phase is P.UPLOADING
    (told,) = node.put(UpdateRefused("too late"))
    assert told == Tell("warning", "the coordinator refused the update: too late")
    assert node.phase is P.IDLE
    assert kinds(node.told(Mailbox)) == [Declining]


def test_a_result_while_at_work_says_that_the_round_went_on() -> None:
    for phase in MASKED_PHASES[:3]:
        node = MaskedNode().until(phase)
        effects = node.hear(later(result(), counted=False))
        assert "went on without this node" in next(e for e in effects if isinstance(e, Tell)).text
        assert effects[-1] == DropUpdate()
    assert kinds(revealed().hear(result())) == [DropUpdate]


def test_R1_a_survivor_whose_receipt_was_lost_is_not_told_that_it_was_left_out() -> None:
    node = MaskedNode().until(P.UPLOADING)
    node.desk.put(node.desk.opened(0))
    node.desk.put(node.desk.arrived(0))  # the receipt is lost with the coordinator
    assert kinds(node.vote()) == [Journal, Vote]
    node.reveal()
    assert not [e for e in node.hear(result()) if isinstance(e, Tell)]


# ---- measuring


class Measurer(MaskedNode):
    """The same node, asked to measure."""

    def __init__(self, role: str = "participant", **more: object) -> None:
        self.desk = MaskedDesk(6, evaluation=True)
        self.side = side(self.desk, **more)
        self.machine = MaskedParticipant(self.side, role=role, refuses=lambda _work: None)
        self.now = 0.0

    def measure(self) -> list:
        self.told(Evaluate)
        self.put(ModelHere(BASE.digest))
        return self.put(Measured(1, SUMS))

    def to_the_sums(self) -> list:
        self.measure()
        self.desk.ready(1, 2, 3, 4, 5)
        self.told(Roster)
        self.desk.share(1, 2, 3, 4, 5)
        return self.told(Mailbox)


def test_measuring_step_by_step() -> None:
    node = Measurer()
    assert kinds(node.told(Evaluate)) == [FetchModel]
    assert kinds(node.put(ModelHere(BASE.digest))) == [Measure]
    assert kinds(node.put(Measured(1, SUMS))) == [Ready]
    node.desk.ready(1, 2, 3, 4, 5)
    assert kinds(node.told(Roster)) == [Shares]
    node.desk.share(1, 2, 3, 4, 5)
    note, sums = node.told(Mailbox)
    assert isinstance(sums, MaskedSums)
    assert (note.form, note.num_bytes) == (MASKED, len(sums.words))
    assert note.what == "sums over own examples: loss_sum, correct, examples"
    node.desk.mask(1, 2, 3, 4, 5)
    assert kinds(node.told(Survivors)) == [Journal, Vote]
    node.desk.vote(1, 2, 3, 4, 5)
    journal, reveal = node.told(Votes)
    assert isinstance(reveal, Reveal)
    assert journal.attempt.purpose == "evaluation"
    node.desk.reveal(1, 2, 3, 4, 5)
    assert node.desk.machine.sums == {
        name: SUMS[name] + sum(node.desk.scalars(i)[name] for i in range(1, 6)) for name in SUMS
    }
    node.hear(scored(2))
    assert node.phase is P.CONFIRMING, "of another round"
    node.hear(scored(1))
    assert node.phase is P.IDLE


def scored(number: int) -> Scored:
    return Scored(
        incarnation=1, round=number, metric="accuracy", score=0.5, num_examples=1, num_nodes=6
    )


def test_the_score_ends_the_conversation_and_a_repeat_is_answered_alike() -> None:
    node = Measurer()
    first = node.to_the_sums()
    assert kinds(node.told(Mailbox)) == [Note, MaskedSums]
    assert node.told(Mailbox)[1] == first[1], "one vector under one mask"
    node.hear(scored(1))
    assert node.phase is P.IDLE
    assert node.machine.masked is None


def test_R6_a_repeated_evaluate_is_no_second_measuring_and_no_second_key() -> None:
    node = Measurer()
    (ready,) = node.measure()
    assert node.told(Evaluate) == [ready]
    late = later(node.desk.heard(0, Evaluate), deadline_s=1.0)
    assert node.hear(late) == [ready], "less time is left, all else is the same"
    node.desk.ready(1, 2, 3, 4, 5)
    node.told(Roster)
    node.desk.share(1, 2, 3, 4, 5)
    node.told(Mailbox)
    assert node.told(Evaluate) == []


def test_sums_under_masks_are_never_told_one_by_one() -> None:
    node = Measurer()
    asked = later(node.desk.heard(0, Evaluate), attempt=0)
    (said,) = node.hear(asked)
    assert isinstance(said, Evaluation)
    assert said.sums == {}
    assert "not told one by one" in said.reason
    assert node.phase is P.IDLE


def test_an_evaluator_has_nobody_to_add_up_with_and_says_its_sums_in_the_clear() -> None:
    node = Measurer("evaluator")
    node.hear(later(node.desk.heard(0, Evaluate), attempt=0))
    node.put(ModelHere(BASE.digest))
    note, said = node.put(Measured(1, SUMS))
    assert said.sums == SUMS
    assert note.form == VISIBLE


def test_R2_a_node_that_voted_measures_that_model_no_more() -> None:
    number = MaskedDesk(6, evaluation=True).machine.round
    node = Measurer(voted=frozenset({("evaluation", number)}))
    (said,) = node.told(Evaluate)
    assert said.sums == {}
    assert "voted for sums" in said.reason
    other = Measurer(voted=frozenset({("update", number), ("evaluation", number + 1)}))
    assert kinds(other.told(Evaluate)) == [FetchModel]


def test_votes_in_evaluations_do_not_count_against_the_model() -> None:
    node = Measurer()
    node.to_the_sums()
    node.desk.mask(1, 2, 3, 4, 5)
    node.told(Survivors)
    assert node.machine._stuck == {}
    assert ("evaluation", node.machine.work.round) in node.machine._voted


@pytest.mark.parametrize("end", [LocalOperator("pause"), Tick()])
def test_measuring_that_is_given_up_is_said(end) -> None:
    node = Measurer()
    node.measure()
    effects = node.put(end, after_s=1000.0)
    said = next(e for e in effects if isinstance(e, Evaluation))
    assert said.sums == {}
    assert said.reason
    assert "LOST" in {m.standing.name for m in node.desk.machine.members.values()}
    node = Measurer()
    node.measure()
    node.hear(Abort(incarnation=1, round=1, attempt=9, reason="few"))
    assert node.phase is P.SHARING
    node.hear(Abort(incarnation=1, round=1, attempt=1, reason="few"))
    assert node.phase is P.IDLE


def test_a_score_that_comes_first_stops_the_measuring() -> None:
    node = Measurer()
    node.told(Evaluate)
    node.put(ModelHere(BASE.digest))
    effects = node.put(Heard(scored(node.machine.work.round)))
    assert CancelJob() in effects
    assert Say not in kinds(effects)


def test_sums_that_are_not_those_of_the_metric_are_said_to_be_no_use() -> None:
    node = Measurer()
    node.told(Evaluate)
    node.put(ModelHere(BASE.digest))
    said = node.put(Measured(1, {"examples": 3.0}))
    assert Evaluation in kinds(said)
    assert node.phase is P.IDLE


def test_sums_too_large_to_be_masked_are_never_sent_cut() -> None:
    node = Measurer()
    node.told(Evaluate)
    node.put(ModelHere(BASE.digest))
    said = node.put(Measured(1, SUMS | {"loss_sum": 1e30}))
    (told,) = [one for one in said if isinstance(one, Evaluation)]
    assert (told.sums, told.reason) == (
        {},
        "the sums here are too large to be masked: scale the targets",
    )
    assert node.phase is P.IDLE
