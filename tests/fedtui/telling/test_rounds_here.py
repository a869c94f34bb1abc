"""Rounds as the real machine lives them, in any order of events: what is shown fits it."""

import msgspec
import pytest
from a_plan import MANIFEST, model_ref
from hypothesis import given
from hypothesis import strategies as st

from fedtui import status
from fedtui.rounds import machine
from fedtui.rounds.participant import RoundParticipant
from fedtui.rounds.phases import Phase
from fedtui.status import NodeStatus
from fedtui.telling.rounds_here import Now, RoundsHere
from fedtui.telling.showing import PHASES
from fedtui.telling.timeline import Moment
from fedtui.wire.messages import Abort, Ended, Evaluate, Offer, Result, Scored, UpdateHeader

OFFER = Offer(
    incarnation=1,
    round=1,
    attempt=1,
    plan_hash=b"p" * 32,
    manifest_digest=MANIFEST.digest(),
    model=model_ref(),
    cohort_size=3,
    accept_s=10.0,
    deadline_s=60.0,
)
RESULT = Result(
    incarnation=1, round=1, attempt=1, model=model_ref(), num_updates=2, counted=True, sums={}
)


class Node:
    """The machine of visible rounds with RoundsHere beside it; each event takes a second."""

    def __init__(self, *, refuses: str | None = None) -> None:
        self.machine = RoundParticipant(role="participant", refuses=lambda _: refuses)
        self.rounds = RoundsHere(masked=False)
        self.now = 0.0
        self.told: list[status.PastRound] = []
        self.said: list[object] = []

    def do(self, event: machine.ParticipantEvent) -> None:
        self.now += 1
        effects = self.machine.handle(event, self.now)
        self.said += effects
        now = Now(
            work=self.machine.work,
            phase=self.machine.phase,
            deadline_at=1000.0 + (self.machine.deadline or 0.0),
            moment=Moment(1000.0 + self.now, int(self.now) * 10, int(self.now) * 100),
        )
        self.rounds.saw(event, effects, now)
        self.told += self.rounds.take_passed()

    def hear(self, message: object, **changes: object) -> None:
        self.do(machine.Heard(msgspec.structs.replace(message, **changes)))

    def trained(self, number: int = 1, attempt: int = 1) -> None:
        header = UpdateHeader(num_examples=4, sums={})
        self.do(machine.Trained(number, attempt, b"d" * 32, 1040, header))

    def deliver(self) -> None:
        self.hear(OFFER)
        self.do(machine.ModelHere(OFFER.model.digest))
        self.trained()
        self.do(machine.UpdateAcknowledged(b"d" * 32))


def test_a_round_that_counted_has_all_its_steps_bytes_and_score() -> None:
    node = Node()
    node.deliver()
    assert node.rounds.current().phase == "aggregate"
    node.hear(RESULT)
    (past,) = node.told
    assert (past.outcome, past.num_updates, past.cohort, past.dropped) == ("counted", 2, 3, 1)
    assert [(one.phase, one.state) for one in past.steps] == [
        (phase, "done") for phase in ("selected", "download", "train", "upload", "aggregate")
    ]
    assert (past.bytes_up, past.bytes_down) == (40, 400)
    assert sum(one.num_bytes for one in past.steps) == 440
    assert (past.seconds, past.score) == (4.0, None)
    node.hear(
        Scored(incarnation=1, round=1, metric="accuracy", score=0.9, num_examples=9, num_nodes=2)
    )
    assert node.told[-1] == msgspec.structs.replace(past, score=0.9)
    node.hear(RESULT)
    assert len(node.told) == 2, "the same result once more is none"


@pytest.mark.parametrize(
    ("event", "outcome", "why"),
    [
        (machine.JobFailed(1, 1, "no data"), "failed", "no data"),
        (machine.LocalOperator("pause"), "sat out", "paused by its operator"),
        (
            machine.Heard(Abort(incarnation=1, round=1, attempt=1, reason="too few")),
            "failed",
            "too",
        ),
        (
            machine.Heard(Ended(incarnation=1, reason="done", model=model_ref())),
            "failed",
            "the federation ended",
        ),
        (
            machine.Heard(msgspec.structs.replace(RESULT, counted=False)),
            "late",
            "the round went on without this node",
        ),
    ],
)
def test_how_a_round_comes_out_while_training(
    event: machine.ParticipantEvent, outcome: str, why: str
) -> None:
    node = Node()
    node.hear(OFFER)
    node.do(machine.ModelHere(OFFER.model.digest))
    node.do(event)
    past = node.told[-1]
    assert (past.outcome, past.attempt) == (outcome, 1)
    assert why in past.reason
    assert [one.state for one in past.steps] == ["done", "done", "failed", "skipped", "skipped"]
    assert node.rounds.current().phase == ""


def test_the_deadline_makes_it_late_and_a_later_result_completes_that() -> None:
    node = Node()
    node.hear(OFFER, deadline_s=1.0)
    node.do(machine.Tick())
    assert (node.told[-1].outcome, node.told[-1].num_updates) == ("late", None)
    node.hear(RESULT, counted=False)
    assert (node.told[-1].outcome, node.told[-1].num_updates) == ("late", 2)
    assert "deadline" in node.told[-1].reason


def test_a_result_that_counts_it_corrects_what_was_thought_here() -> None:
    node = Node()
    node.hear(OFFER)
    node.do(machine.ModelHere(OFFER.model.digest))
    node.trained()
    node.do(machine.UploadFailed("the connection broke before the receipt"))
    assert node.told[-1].outcome == "failed"
    node.hear(RESULT)
    assert (node.told[-1].outcome, node.told[-1].reason) == ("counted", "")
    assert node.rounds.current().sat_out == ""


def test_policy_sits_out_and_says_why() -> None:
    node = Node(refuses="the budget is used up")
    node.hear(OFFER)
    assert node.rounds.current().sat_out == "the budget is used up"
    assert node.told[-1].outcome == "sat out"
    node.hear(OFFER)
    assert len(node.told) == 1


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [("size does not match", "refused"), ("too late: the round goes on without it", "late")],
)
def test_what_the_coordinator_does_not_take(reason: str, outcome: str) -> None:
    node = Node()
    node.hear(OFFER)
    node.do(machine.ModelHere(OFFER.model.digest))
    node.trained()
    node.do(machine.UpdateRefused(reason))
    node.hear(RESULT, counted=False)
    assert (node.told[-1].outcome, node.told[-1].reason) == (outcome, reason)
    assert node.told[-1].steps[3].state == "failed"


def test_a_round_without_an_offer_is_told_as_one_that_this_node_sat_out() -> None:
    node = Node()
    node.hear(RESULT, counted=False)
    assert (node.told[0].outcome, node.told[0].cohort) == ("sat out", None)
    assert node.told[0].reason == "no offer came to this node"


def test_measuring_is_one_more_step_of_the_round_that_it_is_of() -> None:
    node = Node()
    node.deliver()
    node.hear(RESULT)
    evaluate = Evaluate(
        incarnation=1,
        round=1,
        plan_hash=b"p" * 32,
        manifest_digest=MANIFEST.digest(),
        model=model_ref(),
        deadline_s=60.0,
    )
    node.hear(evaluate)
    assert node.rounds.current().phase == "evaluate"
    node.do(machine.ModelHere(evaluate.model.digest))
    node.do(machine.Measured(1, {"loss_sum": 1.0}))
    assert node.rounds.current().phase == ""
    last = node.told[-1]
    assert (last.steps[-1].phase, last.steps[-1].state) == ("evaluate", "done")
    assert last.bytes_up + last.bytes_down == sum(one.num_bytes for one in last.steps) > 440
    assert last.outcome == "counted"


def test_a_node_that_stops_in_mid_round_says_so() -> None:
    node = Node()
    node.hear(OFFER)
    node.rounds.close(Moment(2000.0))
    (past,) = node.rounds.take_passed()
    assert (past.outcome, past.reason) == ("failed", "the node stopped in mid-round")
    assert node.rounds.current().phase == ""


NUMBERS = st.integers(1, 3)
EVENTS = st.one_of(
    st.builds(
        lambda n, a: machine.Heard(msgspec.structs.replace(OFFER, round=n, attempt=a)),
        NUMBERS,
        st.integers(1, 2),
    ),
    st.builds(
        lambda n, a, c: machine.Heard(
            msgspec.structs.replace(
                RESULT, round=n, attempt=a, counted=c, model=model_ref(bytes([n, a]))
            )
        ),
        NUMBERS,
        st.integers(1, 2),
        st.booleans(),
    ),
    st.builds(
        lambda n, a: machine.Heard(Abort(incarnation=1, round=n, attempt=a, reason="x")),
        NUMBERS,
        st.integers(1, 2),
    ),
    st.builds(
        lambda n: machine.Heard(
            Evaluate(
                incarnation=1,
                round=n,
                plan_hash=b"p" * 32,
                manifest_digest=MANIFEST.digest(),
                model=model_ref(),
                deadline_s=60.0,
            )
        ),
        NUMBERS,
    ),
    st.builds(lambda n, a: machine.JobFailed(n, a, "broken"), NUMBERS, st.integers(0, 2)),
    st.builds(lambda n: machine.Measured(n, {}), NUMBERS),
    st.builds(
        lambda n, a: machine.Trained(n, a, b"d" * 32, 1040, UpdateHeader(num_examples=4, sums={})),
        NUMBERS,
        st.integers(1, 2),
    ),
    st.sampled_from(
        (
            machine.ModelHere(OFFER.model.digest),
            machine.UpdateAcknowledged(b"d" * 32),
            machine.UpdateRefused("no"),
            machine.UploadFailed("disk"),
            machine.Disconnected(),
            machine.Connected(),
            machine.Tick(),
            machine.LocalOperator("pause"),
            machine.LocalOperator("resume"),
        )
    ),
)


@given(st.lists(EVENTS, max_size=25))
def test_what_is_shown_fits_the_machine_whatever_happens(
    events: list[machine.ParticipantEvent],
) -> None:
    node = Node()
    seen = NodeStatus()
    counted: dict[tuple[int, int], bool] = {}
    for event in events:
        num_told = len(node.told)
        node.do(event)
        for past in node.told[num_told:]:
            seen = status.reduce(seen, status.RoundPassed(seq=seen.seq + 1, past=past))
        current, work = node.rounds.current(), node.machine.work
        if isinstance(work, Offer):
            assert (current.number, current.attempt) == (work.round, work.attempt)
            assert current.phase == PHASES[node.machine.phase][1]
            assert current.deadline_at > 1000
            assert not current.sat_out
        elif isinstance(work, Evaluate):
            assert (current.number, current.phase) == (work.round, "evaluate")
        elif current is not None:
            assert current.phase in {"", "aggregate"}, "nothing is under way here"
            assert node.machine.phase is Phase.IDLE
        if isinstance(event, machine.Heard) and isinstance(event.message, Result):
            said = event.message
            first = counted.setdefault((said.round, said.attempt), said.counted)  # it stands
            (past,) = (
                one
                for one in seen.rounds
                if (one.number, one.attempt) == (said.round, said.attempt)
            )
            assert not (first and past.outcome != "counted")
    keys = [(one.number, one.attempt) for one in seen.rounds]
    assert len(keys) == len(set(keys))
    for past in seen.rounds:
        assert past.bytes_up + past.bytes_down == sum(one.num_bytes for one in past.steps)
        assert past.outcome != "counted" or counted.get((past.number, past.attempt))
        assert all(one.state in {"done", "failed", "skipped"} for one in past.steps)
