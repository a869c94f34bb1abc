"""Late updates that count: on a node's desk, on the coordinator's, and which plans allow them."""

import msgspec
import pytest
from desk import Desk, make_plan, name
from machine_on_a_desk import Node, evaluate, model, offer, result, trained
from masked_desk import MaskedDesk, node
from masked_node import TRAINED, MaskedNode

from fedtui.rounds import lateness
from fedtui.rounds.history import FinishedRound
from fedtui.rounds.machine import (
    CancelJob,
    DropUpdate,
    FetchModel,
    JobFailed,
    LocalOperator,
    ModelHere,
    Note,
    RefuseUpdate,
    Tell,
    Tick,
    Train,
    Upload,
)
from fedtui.rounds.masked_work import MaskedWork
from fedtui.rounds.masking_steps import Prepare
from fedtui.rounds.phases import Phase
from fedtui.rounds.plan import (
    DeadlinesSection,
    EvaluationSection,
    GateSection,
    Named,
    SelectionSection,
    TrafficSection,
    WeightsSection,
    check,
)
from fedtui.secagg.participant import Masks
from fedtui.wire.masked_messages import Ready
from fedtui.wire.messages import (
    Abort,
    Accepting,
    Declining,
    Ended,
    Evaluation,
    Offer,
    UpdateHeader,
)

BUFFER = DeadlinesSection(late="buffer", max_staleness=3, update_s=20, accept_s=5)
WANTED = SelectionSection(count=2)


def plan(**sections: object):
    return make_plan(**({"deadlines": BUFFER, "selection": WANTED} | sections))


# ---- which plans


def test_a_plan_says_how_late_is_too_late() -> None:
    assert lateness.stalest(plan()) == 3
    assert lateness.stalest(make_plan()) == 0
    assert check(plan()) == []
    assert [lateness.share(plan(), base, 5) for base in (5, 4, 2)] == [1.0, 0.5**0.5, 0.5]
    fedbuff = plan(strategy=Named(name="fedbuff", options={"exponent": 1.0}))
    assert lateness.share(fedbuff, 2, 5) == 0.25


@pytest.mark.parametrize(
    ("sections", "word"),
    [
        ({"selection": SelectionSection()}, "nobody is ever late"),
        ({"selection": SelectionSection(count=2, name="round_robin")}, "no rule picks"),
        ({"gate": GateSection(tolerance=0.1)}, "rolled back"),
        ({"traffic": TrafficSection(update_bytes=2000)}, "differs from round to round"),
        ({"deadlines": msgspec.structs.replace(BUFFER, partial=True)}, "finishes its work"),
        ({"strategy": Named(name="fednova")}, "fednova reckons with what every node did"),
        (
            {
                "strategy": Named(name="feddyn", options={"population": 3}),
                "weights": WeightsSection(by="equal"),
            },
            "feddyn reckons with what every node did",
        ),
    ],
)
def test_what_does_not_fit_is_said(sections: dict[str, object], word: str) -> None:
    (sentence,) = check(plan(**sections))
    assert word in sentence


def test_fedbuff_needs_late_updates() -> None:
    (sentence,) = check(make_plan(strategy=Named(name="fedbuff")))
    assert 'write late = "buffer"' in sentence


def test_that_nobody_drops_out_who_trains_on() -> None:
    done = FinishedRound(
        round=1,
        attempt=1,
        model_digest=bytes(32),
        num_bytes=8,
        checkpoint_name="m1",
        cohort=(b"c", b"a", b"b"),
        survivors=(b"a",),
        sums={},
        seconds=1.0,
    )
    assert lateness.dropped(plan(), done) == []
    assert lateness.dropped(make_plan(), done) == [b"b", b"c"]


# ---- a node


def late(stalest: int = 3) -> Node:
    """A node that trains for round 1, which went on without it."""
    node = Node(stalest=stalest)
    node.hear(offer(1))
    node.put(ModelHere(model(0).digest))
    told = node.hear(uncounted(1))
    assert [type(e) for e in told] == [Tell]
    assert "trains on for a later one" in told[0].text
    assert node.machine.phase is Phase.LATE
    return node


def uncounted(number: int):
    return msgspec.structs.replace(result(number), counted=False)


def test_a_node_that_was_let_go_trains_on_and_hands_in_later() -> None:
    node = late()
    (accepting,) = node.hear(offer(3))
    assert isinstance(accepting, Accepting)
    assert node.machine.phase is Phase.TRAINING
    assert node.machine.number == 3
    note, upload = node.put(trained(1))
    assert isinstance(note, Note)
    assert note.what.endswith(", trained in round 1")
    assert isinstance(upload, Upload)
    assert (upload.round, upload.header.base) == (3, 1)


def test_what_was_finished_meanwhile_is_handed_in_at_the_next_offer() -> None:
    node = late()
    assert node.put(trained(1)) == []
    assert node.machine.phase is Phase.IDLE
    accepting, _, upload = node.hear(offer(4))
    assert isinstance(accepting, Accepting)
    assert (upload.round, upload.header.base) == (4, 1)


@pytest.mark.parametrize("is_done", [True, False])
def test_what_is_too_late_is_told_and_trained_anew(is_done: bool) -> None:
    node = late()
    if is_done:
        node.put(trained(1))
    effects = node.hear(offer(5))
    kinds = [type(e) for e in effects]
    assert kinds == [Tell, DropUpdate if is_done else CancelJob, Accepting, FetchModel]
    assert "trained for round 1 is too late for round 5" in effects[0].text
    (train,) = node.put(ModelHere(model(4).digest))
    assert isinstance(train, Train)
    assert train.round == 5


def test_an_update_counts_once() -> None:
    node = late()
    node.put(trained(1))
    node.hear(offer(2))
    assert DropUpdate() in node.hear(result(2))
    assert FetchModel(model(2)) in node.hear(offer(3))


def test_an_update_that_did_not_count_is_kept_while_it_may() -> None:
    node = late()
    node.put(trained(1))
    for number in (2, 3):
        node.hear(offer(number))
        assert DropUpdate() not in node.hear(uncounted(number))
    node.hear(offer(4))
    assert DropUpdate() in node.hear(uncounted(4))


def test_a_deadline_ends_the_attempt_and_not_the_training() -> None:
    node = Node(stalest=3)
    node.hear(offer(1))
    node.put(ModelHere(model(0).digest))
    effects = node.put(Tick(), after_s=21.0)
    assert [type(e) for e in effects] == [Declining, Tell]
    assert node.machine.phase is Phase.LATE
    assert [type(e) for e in node.hear(offer(1, attempt=2))] == [Accepting]
    aborted = Abort(incarnation=1, round=1, attempt=2, reason="too few")
    assert CancelJob() not in node.hear(aborted)
    assert node.machine.phase is Phase.LATE


def test_late_work_ends_with_its_operators_word_and_with_the_federation() -> None:
    for end in ("pause", "leave"):
        node = late()
        assert CancelJob() in node.put(LocalOperator(end))
        assert node.put(trained(1)) == []
    node = late()
    ended = Ended(incarnation=1, reason="", model=model(1))
    assert CancelJob() in node.hear(ended)
    node = late()
    failed = node.put(JobFailed(1, 1, "no memory"))
    assert [type(e) for e in failed] == [CancelJob, Tell]
    assert node.machine.phase is Phase.IDLE


def test_who_trains_late_does_not_measure() -> None:
    node = late()
    (answer,) = node.hear(evaluate(2))
    assert isinstance(answer, Evaluation)
    assert answer.reason == "this node trains on, late"
    node = Node(stalest=3)
    node.hear(offer(1))
    node.put(ModelHere(model(0).digest))
    (answer,) = node.hear(evaluate(1))
    assert isinstance(answer, Evaluation)
    assert node.machine.phase is Phase.LATE


def test_without_a_buffer_work_is_dropped_with_its_round() -> None:
    node = Node()
    node.hear(offer(1))
    node.put(ModelHere(model(0).digest))
    assert CancelJob() in node.hear(uncounted(1))
    assert node.machine.phase is Phase.IDLE


# ---- the coordinator, with visible updates


def header(base: int | None) -> UpdateHeader:
    sums = {"loss_sum": 1.0, "examples": 10.0}
    return UpdateHeader(num_examples=10, sums=sums, base=base)


def at_round(number: int, **sections: object) -> Desk:
    desk = Desk(plan(evaluation=EvaluationSection(holdout=0.0), **sections))
    desk.join(1, 2, 3)
    for _ in range(number - 1):
        desk.accept(1, 2, 3)
        desk.deliver(1, 2)
        desk.aggregated()
    return desk


def test_everybody_is_invited_and_the_first_that_are_ready_count() -> None:
    desk = at_round(2)
    assert len(desk.attempt.members) == 3
    assert desk.attempt.terms.enough == 2
    assert desk.federation.rounds[1].survivors == (name(1), name(2))


@pytest.mark.parametrize(("base", "behind"), [(None, None), (5, None), (4, 1.0), (2, 3.0)])
def test_a_late_update_is_noted_with_its_lateness(base: int | None, behind: float | None) -> None:
    desk = at_round(5)
    desk.accept(1, 2, 3)
    desk.put(desk.opened(3, header=header(base)))
    desk.put(desk.arrived(3))
    part = desk.attempt.contributions[name(3)]
    assert part.scalars.get(lateness.BEHIND) == behind
    desk.deliver(1)
    desk.restart()
    found = {one.node: one.scalars.get(lateness.BEHIND) for one in desk.aggregate.contributions}
    assert found == {name(1): None, name(3): behind}


@pytest.mark.parametrize("base", [0, 1, 6])
def test_an_update_of_another_time_is_refused(base: int) -> None:
    desk = at_round(5)
    desk.accept(1, 2, 3)
    desk.put(desk.opened(3, header=header(base)))
    (refused,) = desk.of(RefuseUpdate)
    assert f"trained in round {base}" in refused.reason


def test_a_node_cannot_say_itself_how_late_it_is() -> None:
    desk = at_round(5)
    desk.accept(1, 2, 3)
    sums = {"loss_sum": 1.0, "examples": 10.0, lateness.BEHIND: 1e9}
    desk.put(desk.opened(3, header=UpdateHeader(num_examples=10, sums=sums)))
    desk.put(desk.arrived(3))
    assert desk.attempt.contributions[name(3)].scalars == {}


# ---- under masks


def test_a_node_that_says_a_base_out_of_time_is_out_of_the_round() -> None:
    desk = MaskedDesk(6)
    desk.accept(*range(6))
    ready = msgspec.structs.replace(desk.halves[0].advertise(), base=0)
    desk.say(0, ready)
    assert desk.machine.members[node(0)].reason.startswith("its update was trained in round 0")
    desk.say(1, desk.halves[1].advertise())
    assert not desk.machine.members[node(1)].reason


@pytest.mark.parametrize("has_voted", [False, True])
def test_an_update_that_was_voted_for_is_in_no_other_sum(has_voted: bool) -> None:
    desk = MaskedDesk(6)
    desk.plan = msgspec.structs.replace(desk.plan, deadlines=BUFFER)
    one = MaskedNode(desk=desk).until(Phase.CONFIRMING)
    if has_voted:
        one.vote()
    first = desk.heard(0, Offer)
    one.hear(Abort(incarnation=1, round=1, attempt=1, reason="gone"))
    effects = one.hear(msgspec.structs.replace(first, round=2))
    kinds = [type(e) for e in effects]
    assert kinds == [Accepting, FetchModel if has_voted else Ready]
    if not has_voted:
        assert effects[1].base == 1


def test_a_masked_update_that_is_late_is_shortened_and_its_weight_is_not() -> None:
    desk = MaskedDesk(6)
    desk.plan = msgspec.structs.replace(desk.plan, deadlines=BUFFER)
    side = MaskedNode(desk=desk).side
    prepared = [
        MaskedWork(side, msgspec.structs.replace(desk.heard(0, Offer), round=4), base=base)
        for base in (4, 1)
    ]
    fresh, old = (prepared_of(work) for work in prepared)
    assert old.weight == fresh.weight / 2
    assert old.scalars == fresh.scalars


def prepared_of(work: MaskedWork) -> Prepare:
    work.masks = Masks(plus=(), minus=())
    return work.prepare(TRAINED)
