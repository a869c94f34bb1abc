"""A recording holds what the screen saw, line by line, and nothing else can be read as one."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.control.recording import Recorder, RecordingError, read
from fedtui.status import LogLine, NodeStatus, Round, Score, Traffic

SOME = st.builds(
    NodeStatus,
    seq=st.integers(0, 5),
    sentence=st.text(max_size=20),
    round=st.builds(Round, number=st.integers(0, 3)),
    traffic=st.builds(Traffic, up=st.integers(0, 9), round_trip_s=st.none() | st.floats(0, 1)),
    log=st.lists(
        st.builds(LogLine, at=st.just(1.0), level=st.just("info"), text=st.text(max_size=5)),
        max_size=2,
    ).map(tuple),
    scores=st.just((Score(round=1, metric="a", score=0.5, num_examples=1, num_nodes=1),)),
)


@given(st.lists(SOME, min_size=1, max_size=8))
def test_what_was_recorded_is_told_again(statuses: list[NodeStatus]) -> None:
    recorder = Recorder()
    lines = [recorder.line(one, 100.0 + n) for n, one in enumerate(statuses)]
    assert list(read(lines)) == [(float(n), one) for n, one in enumerate(statuses)]


def test_a_line_holds_only_what_changed() -> None:
    recorder = Recorder()
    recorder.line(NodeStatus(label="alder"), 1.0)
    line = msgspec.json.decode(recorder.line(NodeStatus(label="alder", seq=1), 2.0))
    assert line == {"at": 1.0, "changed": {"seq": 1}}


@pytest.mark.parametrize(
    "line",
    [b"", b"{}", b'{"at":0,"changed":{"seq":"x"}}', b"[" * 2000, b"x" * 2**21],
    ids=["nothing", "empty", "wrong type", "deep", "endless"],
)
def test_what_is_no_recording_is_said_with_its_line(line: bytes) -> None:
    good = Recorder().line(NodeStatus(), 0.0)
    with pytest.raises(RecordingError, match="line 2"):
        list(read([good, line]))
