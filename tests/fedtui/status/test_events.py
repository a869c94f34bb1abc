"""The status is the sum of its events, and holds nothing that a screen must not show."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui import status
from fedtui.status import NodeStatus, reduce

SEEN = st.one_of(
    st.builds(status.StateChanged, state=st.sampled_from(["idle", "paused"]), sentence=st.text()),
    st.builds(status.Introduced, label=st.text(), role=st.text()),
    st.builds(
        status.Logged,
        line=st.builds(
            status.LogLine, at=st.floats(0, 1), level=st.just("info"), text=st.text(max_size=5)
        ),
    ),
    st.builds(status.RoundCounted, round=st.integers(0, 9), counted=st.booleans()),
    st.builds(status.FederationBegan, rounds_counted=st.integers(0, 9)),
    st.builds(
        status.ScoreSeen,
        score=st.builds(
            status.Score,
            round=st.integers(0, 5),
            metric=st.just("accuracy"),
            score=st.floats(0, 1),
            num_examples=st.just(1),
            num_nodes=st.just(1),
        ),
    ),
    st.builds(
        status.LedgerWritten,
        line=st.builds(
            status.LedgerLine,
            at=st.floats(0, 1),
            round=st.integers(0, 9),
            attempt=st.just(1),
            what=st.just("u"),
            num_bytes=st.integers(0, 9),
            form=st.just("f"),
            receiver=st.just("c"),
        ),
    ),
    st.just(status.FederationEnded()),
    st.just(status.ProblemSeen(problem=None)),
    st.just(status.WaitingFor(waiting=status.Waiting(have=1, need=2))),
    st.just(status.TrafficMeasured(traffic=status.Traffic(up=3))),
    st.just(status.TrainingMoved(training=status.Training(fraction=0.5))),
    st.just(status.RoundMoved(round=status.Round(number=3))),
    st.just(status.PlanSeen(plan=None, consented=False)),
    st.just(status.CoordinatorPinned(coordinator=None)),
)


def numbered(events: list[status.Event]) -> list[status.Event]:
    return [msgspec.structs.replace(one, seq=n) for n, one in enumerate(events, start=1)]


@given(st.lists(SEEN, max_size=60))
def test_a_screen_that_applies_the_events_knows_what_the_node_knows(
    events: list[status.Event],
) -> None:
    state = NodeStatus()
    for event in numbered(events):
        state = reduce(state, event)
    assert state.seq == len(events)
    assert len(state.ledger) <= status.MAX_TAIL
    assert len(state.log) <= status.MAX_TAIL
    assert len({score.round for score in state.scores}) == len(state.scores)
    encoded = msgspec.json.encode(state)
    assert msgspec.json.decode(encoded, type=NodeStatus) == state


@given(st.lists(SEEN, min_size=1, max_size=20), st.data())
def test_an_event_twice_or_late_changes_nothing(
    events: list[status.Event], data: st.DataObject
) -> None:
    state = NodeStatus()
    for event in numbered(events):
        state = reduce(state, event)
    again = data.draw(st.sampled_from(numbered(events)))
    assert reduce(state, again) is state


@given(st.lists(SEEN, max_size=30), st.integers(0, 30))
def test_a_snapshot_and_the_rest_is_the_whole(events: list[status.Event], cut: int) -> None:
    all_events = numbered(events)
    whole, half = NodeStatus(), NodeStatus()
    for event in all_events:
        whole = reduce(whole, event)
    for event in all_events[:cut]:
        half = reduce(half, event)
    snapshot = msgspec.json.decode(msgspec.json.encode(half), type=NodeStatus)
    for event in all_events:
        snapshot = reduce(snapshot, event)
    assert snapshot == whole


@pytest.mark.parametrize("kind", status.Event.__args__, ids=lambda kind: kind.__name__)
def test_every_event_can_be_applied(kind: type[status.Event]) -> None:
    fields = {field.name for field in msgspec.structs.fields(kind)} - {"seq"}
    known = {field.name for field in msgspec.structs.fields(NodeStatus)}
    special = {"LedgerWritten", "Logged", "ScoreSeen", "RoundCounted", "FederationEnded"}
    special |= {"RoundPassed", "OwnScoreSeen", "AlarmRaised", "AlarmSeen"}
    assert fields <= known or kind.__name__ in special


def test_another_federation_begins_without_the_figures_of_the_one_before() -> None:
    score = status.Score(round=3, metric="accuracy", score=0.5, num_examples=1, num_nodes=1)
    seen = NodeStatus(
        rounds_counted=7, scores=(score,), round=status.Round(number=3), final=True, label="a"
    )
    begun = reduce(seen, status.FederationBegan(seq=1, rounds_counted=2))
    assert begun == NodeStatus(seq=1, rounds_counted=2, label="a")


def test_the_status_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        NodeStatus().state = "paused"  # type: ignore[misc]


def test_K2_no_field_is_named_like_a_secret() -> None:
    schema = msgspec.json.encode(msgspec.json.schema(NodeStatus)).decode().lower()
    for word in ("secret", "seed", "invite", "passphrase", "private"):
        assert word not in schema


def test_drift_is_the_newest_only_and_of_one_federation() -> None:
    first = status.Drift(round=1, distance=1.0, own=1.0, moved=0.0)
    second = status.Drift(round=2, num_rounds=3, distance=0.5, own=1.0, moved=1.0, cosine=1.0)
    state = NodeStatus()
    for number, told in enumerate((first, second), start=1):
        state = reduce(state, status.DriftSeen(seq=number, drift=told))
        assert state.drift == told
    assert "angle -" in first.words()
    assert "from the global model 3 rounds later, angle 0 deg" in second.words()
    assert reduce(state, status.FederationBegan(seq=3, rounds_counted=0)).drift is None
