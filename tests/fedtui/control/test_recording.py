"""A recording holds what the screen saw, line by line, and nothing else can be read as one."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fedtui.control.recording import VERSION, Recorder, RecordingError, read
from fedtui.status import LogLine, NodeStatus, PastRound, Round, Score, Step, Traffic, Training

LINES = st.builds(
    LogLine, at=st.just(1.0), level=st.just("info"), text=st.text(max_size=3, alphabet="ab")
)
STEPS = st.builds(Step, phase=st.just("train"), state=st.sampled_from(["waiting", "now", "done"]))
SMALL = st.integers(0, 2)
SOME = st.builds(
    NodeStatus,
    seq=st.integers(0, 5),
    sentence=st.text(max_size=20),
    round=st.builds(Round, number=st.integers(0, 3), steps=st.lists(STEPS, max_size=3).map(tuple)),
    traffic=st.builds(
        Traffic,
        up=st.integers(0, 9),
        round_trip_s=st.none() | st.floats(0, 1),
        up_rates=st.lists(SMALL, max_size=6).map(tuple),
    ),
    log=st.lists(LINES, max_size=4).map(tuple),
    scores=st.just((Score(round=1, metric="a", score=0.5, num_examples=1, num_nodes=1),)),
)


@st.composite
def courses(draw: st.DrawFn) -> list[NodeStatus]:
    """Statuses as a node has them one after the other: most is kept, tails move."""
    now, course = draw(SOME), []
    for _ in range(draw(st.integers(1, 8))):
        kept = draw(st.integers(0, 5))
        match draw(st.sampled_from(["log", "rates", "rounds", "losses", "any", "nothing"])):
            case "log":
                log = (*now.log, *draw(st.lists(LINES, max_size=2)))[-kept:]
                now = replace(now, seq=now.seq + 1, log=log)
            case "rates":
                rates = (*now.traffic.up_rates, draw(SMALL))[-kept:]
                now = replace(now, traffic=replace(now.traffic, up_rates=rates))
            case "rounds":
                past = PastRound(number=draw(SMALL), attempt=1, outcome="counted", ended_at=1.0)
                others = tuple(one for one in now.rounds if one.number != past.number)
                now = replace(now, rounds=(*others, past))
            case "losses":
                losses = (*now.training.losses, draw(st.floats(0, 1)))[-kept:]
                now = replace(now, training=Training(losses=losses))
            case "any":
                now = draw(SOME)
        course.append(now)
    return course


def told(recorder: Recorder, statuses: list[NodeStatus]) -> list[bytes]:
    written = b"".join(recorder.line(one, 100.0 + n) for n, one in enumerate(statuses))
    return written.splitlines(keepends=True)


@given(st.lists(SOME, min_size=1, max_size=4) | courses())
def test_what_was_recorded_is_told_again(statuses: list[NodeStatus]) -> None:
    lines = told(Recorder(), statuses)
    assert list(read(lines)) == [(float(n), one) for n, one in enumerate(statuses)]


def test_a_line_holds_only_what_changed() -> None:
    recorder = Recorder()
    recorder.line(NodeStatus(label="alder"), 1.0)
    line = msgspec.json.decode(recorder.line(NodeStatus(label="alder", seq=1), 2.0))
    assert line == {"at": 1.0, "changed": {"seq": 1}}


def test_of_a_list_that_grew_only_what_was_added_is_written() -> None:
    recorder = Recorder()
    losses = tuple(n / 7 for n in range(240))
    recorder.line(NodeStatus(training=Training(losses=losses)), 1.0)
    line = recorder.line(NodeStatus(training=Training(losses=(*losses[1:], 9.5))), 2.0)
    assert msgspec.json.decode(line) == {
        "at": 1.0,
        "changed": {},
        "grown": {"training.losses": [1, 239, [9.5]]},
    }


@given(st.lists(SOME, min_size=1, max_size=4))
def test_recordings_of_the_first_version_are_read(statuses: list[NodeStatus]) -> None:
    lines, before = [], dict[str, object]()
    for number, status in enumerate(statuses):  # as they were written: whole fields, no header
        now = msgspec.to_builtins(status)
        changed = {name: value for name, value in now.items() if before.get(name) != value}
        lines.append(msgspec.json.encode({"at": float(number), "changed": changed}))
        before = now
    assert [one for _, one in read(lines)] == statuses


def test_another_version_is_refused_with_what_to_do() -> None:
    with pytest.raises(RecordingError, match=rf"version 9 and this fedtui reads {VERSION}: show"):
        list(read([b'{"recording":9}\n']))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b'{"at":0,"changed":{"seq":"x"}}',
        b'{"at":0,"changed":{"seq.deep":1}}',
        b'{"at":0,"changed":{"round.moon":1}}',
        b'{"at":0,"changed":{},"grown":{"log":[0,3,[]]}}',
        b'{"at":0,"changed":{},"grown":{"log":[-1,0,[]]}}',
        b'{"at":0,"changed":{},"grown":{"seq":[0,0,[]]}}',
        b"[" * 2000,
        b"x" * 2**21,
    ],
    ids=range(10),
)
def test_what_is_no_recording_is_said_with_its_line(line: bytes) -> None:
    good = told(Recorder(), [NodeStatus()])
    with pytest.raises(RecordingError, match="line 3"):
        list(read([*good, line]))
