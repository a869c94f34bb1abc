"""A node's machine: every message out of turn, double, late or old; and what its operator says."""

import math
from typing import Any

import msgspec
import pytest
from machine_on_a_desk import Node, evaluate, model, offer, result, trained

from fedtui.rounds.machine import (
    CancelJob,
    Connected,
    Disconnected,
    DropUpdate,
    FetchModel,
    Heard,
    JobFailed,
    LocalOperator,
    Measure,
    Measured,
    ModelHere,
    Note,
    StopUpload,
    Tell,
    Tick,
    Train,
    TrainerProgressed,
    UpdateAcknowledged,
    UpdateRefused,
    Upload,
    UploadFailed,
)
from fedtui.rounds.phases import Phase
from fedtui.wire.messages import (
    Abort,
    Accepting,
    Away,
    Declining,
    Ended,
    Evaluation,
    Leaving,
    Progress,
    Scored,
    Waiting,
)


def at(phase: Phase) -> Node:
    node = Node()
    if phase is Phase.MEASURING:
        node.hear(evaluate())
        node.put(ModelHere(model(1).digest))
        return node
    if phase is not Phase.IDLE:
        node.hear(offer())
    if phase in {Phase.TRAINING, Phase.UPLOADING}:
        node.put(ModelHere(model(0).digest))
    if phase is Phase.UPLOADING:
        node.put(trained())
    assert node.machine.phase is phase
    return node


WORKING = [Phase.FETCHING, Phase.TRAINING, Phase.UPLOADING, Phase.MEASURING]
STOPS = {
    Phase.FETCHING: [],
    Phase.TRAINING: [CancelJob],
    Phase.UPLOADING: [StopUpload],
    Phase.MEASURING: [CancelJob],
}


def test_a_round_step_by_step() -> None:
    node = Node()
    assert [type(e) for e in node.hear(offer())] == [Accepting, FetchModel]
    assert node.kinds(ModelHere(model(0).digest)) == [Train]
    assert node.kinds(TrainerProgressed(1, 1, 0.5)) == [Progress]
    note, upload = node.put(trained())
    assert isinstance(note, Note)
    assert isinstance(upload, Upload)
    assert (note.digest, note.num_bytes) == (upload.digest, upload.num_bytes)
    assert node.put(UpdateAcknowledged(b"u" * 32)) == []
    assert node.machine.phase is Phase.IDLE
    assert [type(e) for e in node.hear(result())] == [DropUpdate]
    assert [type(e) for e in node.hear(evaluate())] == [FetchModel]
    assert node.kinds(ModelHere(model(1).digest)) == [Measure]
    assert node.kinds(Measured(1, {"examples": 3.0})) == [Note, Evaluation]
    assert node.machine.deadline is None


@pytest.mark.parametrize("phase", WORKING[:3])
def test_a_repeated_offer_is_answered_as_before(phase: Phase) -> None:
    node = at(phase)
    node.put(Disconnected())
    node.put(Connected())
    first, *rest = node.hear(offer())
    assert isinstance(first, Accepting)
    again = {Phase.FETCHING: [FetchModel], Phase.TRAINING: [], Phase.UPLOADING: [Note, Upload]}
    assert [type(e) for e in rest] == again[phase]
    assert node.machine.phase is phase


def test_a_delivered_update_is_offered_again_if_asked_for_again() -> None:
    node = at(Phase.UPLOADING)
    node.put(UpdateAcknowledged(b"u" * 32))
    assert [type(e) for e in node.hear(offer())] == [Accepting, Note, Upload]


@pytest.mark.parametrize("phase", WORKING)
def test_a_later_attempt_replaces_what_is_under_way(phase: Phase) -> None:
    node = at(phase)
    effects = [type(e) for e in node.hear(offer(2))]
    assert effects[: len(STOPS[phase])] == STOPS[phase]
    assert effects[-2:] == [Accepting, FetchModel]


def test_training_is_not_done_twice_for_the_next_attempt() -> None:
    node = at(Phase.UPLOADING)
    effects = node.hear(offer(1, attempt=2))
    assert [type(e) for e in effects] == [StopUpload, Accepting, Note, Upload]
    assert effects[-1].attempt == 2
    effects = node.hear(offer(1, attempt=3, incarnation=2))
    assert effects[-1].incarnation == 2


@pytest.mark.parametrize("incarnation", [1, 2])
def test_training_goes_on_for_the_next_attempt_of_the_same_model(incarnation: int) -> None:
    node = at(Phase.TRAINING)
    node.now += 15.0
    later = offer(1, attempt=3, incarnation=incarnation)
    assert [type(e) for e in node.hear(later)] == [Accepting]
    assert node.machine.deadline == 35.0  # that of the offer it works for now
    assert node.put(trained(1, 3)) == []  # no such job was begun
    (said,) = node.put(TrainerProgressed(1, 3, 0.5))
    assert (said.attempt, said.incarnation) == (3, incarnation)
    _, upload = node.put(trained(1, 1))
    assert (upload.round, upload.attempt, upload.incarnation) == (1, 3, incarnation)


def test_a_failure_of_training_that_went_on_is_of_the_attempt_it_works_for() -> None:
    node = at(Phase.TRAINING)
    node.hear(offer(1, attempt=2))
    assert node.put(JobFailed(1, 2, "x")) == []
    declined, _ = node.put(JobFailed(1, 1, "out of memory"))
    assert (declined.attempt, declined.reason) == (2, "out of memory")


@pytest.mark.parametrize("other", [{"model": model(5)}, {"plan_hash": bytes(31) + b"1"}])
def test_training_does_not_go_on_for_another_model_or_plan(other: dict[str, Any]) -> None:
    node = at(Phase.TRAINING)
    changed = msgspec.structs.replace(offer(1, attempt=2), **other)
    assert [type(e) for e in node.hear(changed)] == [CancelJob, Accepting, FetchModel]


def test_training_does_not_go_on_against_the_policy() -> None:
    answers = iter([None, "not now"])
    node = Node(refuses=lambda _work: next(answers))
    node.hear(offer())
    node.put(ModelHere(model(0).digest))
    stopped, declined, _ = node.hear(offer(1, attempt=2))
    assert (type(stopped), declined.reason) == (CancelJob, "not now")


@pytest.mark.parametrize("phase", WORKING[:3])
def test_old_offers_and_old_incarnations_change_nothing(phase: Phase) -> None:
    node = Node()
    node.hear(offer(3, incarnation=2))
    if phase is not Phase.FETCHING:
        node.put(ModelHere(model(2).digest))
    if phase is Phase.UPLOADING:
        node.put(trained(3))
    for old in (
        offer(2, incarnation=2),
        offer(9, incarnation=1),
        evaluate(2, incarnation=2),
        evaluate(9, incarnation=1),
        result(2, incarnation=2),
        Abort(incarnation=2, round=2, attempt=1, reason=""),
        Abort(incarnation=1, round=3, attempt=1, reason=""),
    ):
        assert node.hear(old) == []
    assert node.machine.phase is phase


def test_an_offer_of_a_round_that_is_over_is_dropped_also_by_who_was_not_in_it() -> None:
    node = Node()
    node.hear(result(5))
    assert node.hear(offer(3)) == []
    assert node.hear(offer(5)) == []
    assert node.hear(evaluate(4)) == []
    assert [type(e) for e in node.hear(offer(6))] == [Accepting, FetchModel]


def test_a_stale_offer_does_not_disturb_measuring() -> None:
    node = Node()
    node.hear(offer())
    node.hear(result())
    node.hear(evaluate())
    node.put(ModelHere(model(1).digest))
    assert node.hear(offer()) == []
    assert node.machine.phase is Phase.MEASURING


def test_a_repeated_evaluate_costs_no_second_measuring() -> None:
    node = at(Phase.MEASURING)
    assert node.hear(evaluate()) == []
    node.put(Disconnected())
    _, said = node.put(Measured(1, {"examples": 3.0}))
    node.put(Connected())
    assert node.hear(evaluate()) == [said]
    assert node.machine.phase is Phase.IDLE


@pytest.mark.parametrize("phase", WORKING)
def test_deadline_gives_up_and_says_so(phase: Phase) -> None:
    node = at(phase)
    assert node.machine.deadline == (10.0 if phase is Phase.MEASURING else 20.0)
    assert node.put(Tick(), after_s=9.9) == []
    effects = node.put(Tick(), after_s=10.1)
    assert [type(e) for e in effects[: len(STOPS[phase])]] == STOPS[phase]
    said = next(e for e in effects if isinstance(e, Declining | Evaluation))
    assert said.reason == "not done before the deadline"
    assert isinstance(effects[-1], Tell)
    assert node.machine.deadline is None


@pytest.mark.parametrize("phase", WORKING)
@pytest.mark.parametrize("command", ["pause", "leave"])
def test_operator_in_each_phase(phase: Phase, command) -> None:
    node = at(phase)
    effects = node.put(LocalOperator(command))
    assert [type(e) for e in effects[: len(STOPS[phase])]] == STOPS[phase]
    assert any(isinstance(e, Declining | Evaluation) for e in effects)
    assert isinstance(effects[-1], Away if command == "pause" else Leaving)
    if command == "leave":
        assert node.machine.phase is Phase.LEFT
        assert node.hear(offer(2)) == []
        return
    (declined, _) = node.hear(offer(2))
    assert isinstance(declined, Declining)
    assert node.put(Connected()) == [Away(away=True)]
    assert node.put(LocalOperator("resume")) == [Away(away=False)]
    assert any(isinstance(e, Accepting) for e in node.hear(offer(3)))


@pytest.mark.parametrize("phase", WORKING[:3])
def test_abort_stops_exactly_its_attempt(phase: Phase) -> None:
    node = at(phase)
    assert node.hear(Abort(incarnation=1, round=1, attempt=2, reason="")) == []
    effects = node.hear(Abort(incarnation=1, round=1, attempt=1, reason="too few"))
    assert [type(e) for e in effects] == [*STOPS[phase], Tell]
    assert node.machine.phase is Phase.IDLE


@pytest.mark.parametrize("phase", WORKING)
def test_the_end_stops_everything(phase: Phase) -> None:
    node = at(phase)
    node.hear(Ended(incarnation=1, reason="done", model=model(1)))
    assert node.machine.phase is Phase.IDLE
    assert node.machine.deadline is None


def test_reports_of_other_jobs_change_nothing() -> None:
    node = at(Phase.TRAINING)
    for event in (
        trained(2),
        trained(1, 2),
        JobFailed(2, 1, "x"),
        JobFailed(1, 2, "x"),
        Measured(1, {}),
        ModelHere(bytes(32)),
        UpdateAcknowledged(b"u" * 32),
        UpdateRefused("old"),
    ):
        assert node.put(event) == []
    assert node.machine.phase is Phase.TRAINING
    node = at(Phase.UPLOADING)
    for event in (trained(), JobFailed(1, 1, "x"), UpdateAcknowledged(bytes(32))):
        assert node.put(event) == []
    assert node.machine.phase is Phase.UPLOADING


def test_a_failed_job_is_declined_with_a_reason_that_fits() -> None:
    node = at(Phase.TRAINING)
    reason = "no file /données/é" * 30 + "\udcff"
    declined, told = node.put(JobFailed(1, 1, reason))
    assert declined.reason.startswith("no file")
    assert isinstance(told, Tell)
    assert node.hear(offer())[0].reason == declined.reason
    node = at(Phase.MEASURING)
    said, _ = node.put(JobFailed(1, 0, "broken row 3"))
    assert (said.sums, said.reason) == ({}, "broken row 3")


@pytest.mark.parametrize("lost", [False, True])
def test_an_update_that_cannot_leave_is_declined_by_the_nodes_own_fault(lost: bool) -> None:
    node = at(Phase.UPLOADING)
    stop, declined, *dropped, told = node.put(UploadFailed("the disk fails", lost))
    assert (type(stop), declined.reason) == (StopUpload, "the disk fails")
    assert told == Tell("warning", "round 1: the update was not sent: the disk fails")
    assert [type(one) for one in dropped] == [DropUpdate] * lost
    assert node.hear(offer())[0].reason == "the disk fails"
    again = [type(one) for one in node.hear(offer(1, attempt=2))]
    assert again == ([Accepting, FetchModel] if lost else [Accepting, Note, Upload])
    assert at(Phase.TRAINING).put(UploadFailed("old")) == []


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_figures_that_are_no_numbers_do_not_travel(value: float) -> None:
    node = at(Phase.TRAINING)
    *_, upload = node.put(trained(loss=value))
    assert upload.header.sums == {}
    node = at(Phase.MEASURING)
    said, told = node.put(Measured(1, {"examples": 3.0, "loss_sum": value}))
    assert said.sums == {}
    assert "finite" in told.text


def test_policy_and_role_decline() -> None:
    node = Node(refuses=lambda work: "at night only")
    declined, told = node.hear(offer())
    assert declined.reason == "at night only"
    assert isinstance(told, Tell)
    assert node.hear(offer()) == [declined]
    assert node.hear(evaluate())[0].reason == "at night only"
    node = Node(role="evaluator")
    assert "evaluator" in node.hear(offer())[0].reason


def test_news_change_nothing() -> None:
    node = at(Phase.TRAINING)
    scored = Scored(
        incarnation=1, round=0, metric="accuracy", score=0.5, num_examples=1, num_nodes=1
    )
    for message in (Waiting(incarnation=1, present=1, needed=2), scored):
        assert node.hear(message) == []
    assert node.machine.phase is Phase.TRAINING


def test_an_offer_that_is_repeated_to_an_idle_node_has_its_deadline_too() -> None:
    node = at(Phase.UPLOADING)
    node.put(UpdateAcknowledged(trained().digest))
    assert node.machine.deadline is None
    node.put(Heard(offer()), after_s=5.0)
    assert node.machine.phase is Phase.UPLOADING
    assert node.machine.deadline == node.now + offer().deadline_s


def test_the_time_for_training_leaves_some_to_send() -> None:
    node = Node()
    node.put(Heard(offer()))
    node.now += 3.0
    (train,) = node.put(ModelHere(model(0).digest))
    assert train == Train(1, 1, model(0), within_s=20.0 - 3.0 - 6.0)
