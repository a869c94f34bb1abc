"""The timeline: one step at a time, in order, and every byte and second in exactly one of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.telling.timeline import MASKED, MEASURED, VISIBLE, Moment, Timeline

ACTIONS = st.one_of(
    st.tuples(st.just("enter"), st.sampled_from((*MASKED, "evaluate"))),
    st.tuples(st.just("see"), st.none()),
    st.tuples(st.just("end"), st.sampled_from(("done", "failed"))),
    st.tuples(st.just("measure"), st.none()),
)


@given(
    phases=st.sampled_from((MASKED, VISIBLE, MEASURED)),
    course=st.lists(
        st.tuples(ACTIONS, st.floats(0, 1000), st.integers(0, 10**9), st.integers(0, 10**9)),
        max_size=30,
    ),
)
def test_order_bytes_and_seconds_hold_whatever_comes(
    phases: tuple[str, ...], course: list[tuple[tuple[str, str], float, int, int]]
) -> None:
    moment = Moment(1_800_000_000.0, 500, 700)
    timeline = Timeline(phases, moment)
    seconds, sent, received = 0.0, 0, 0
    for (action, what), passed_s, up, down in course:
        if timeline.phase:
            seconds, sent, received = seconds + passed_s, sent + up, received + down
        moment = Moment(moment.at + passed_s, moment.sent + up, moment.received + down)
        match action:
            case "enter":
                timeline.enter(what, moment)
            case "see":
                timeline.see(moment)
            case "end":
                timeline.end(what, moment)
            case _:
                timeline.measure(moment)
        states = [step.state for step in timeline.steps()]
        assert states.count("now") == (1 if timeline.phase else 0)
        if timeline.phase:
            place = states.index("now")
            assert timeline.steps()[place].phase == timeline.phase
            assert all(state in {"done", "failed", "skipped"} for state in states[:place])
            assert all(state == "waiting" for state in states[place + 1 :])
        else:
            assert "waiting" not in states
    assert (timeline.num_sent, timeline.num_received) == (sent, received)
    assert sum(step.num_bytes for step in timeline.steps()) == sent + received
    total = sum(step.seconds for step in timeline.steps())
    assert total == pytest.approx(seconds, rel=1e-6, abs=0.01)
    order = [step.phase for step in timeline.steps()]
    assert order[: len(phases)] == list(phases)
    assert order[len(phases) :] in ([], ["evaluate"])


def test_a_round_as_it_should_go() -> None:
    timeline = Timeline(VISIBLE, Moment(100.0))
    timeline.enter("download", Moment(100.0, 10, 10))
    timeline.enter("train", Moment(101.0, 20, 1010))
    timeline.enter("upload", Moment(105.0, 25, 1010))
    timeline.enter("aggregate", Moment(107.0, 1025, 1020))
    timeline.end("done", Moment(108.0, 1025, 1120))
    told = [(one.phase, one.state, one.seconds, one.num_bytes) for one in timeline.steps()]
    assert told == [
        ("selected", "done", 0.0, 20),
        ("download", "done", 1.0, 1010),
        ("train", "done", 4.0, 5),
        ("upload", "done", 2.0, 1010),
        ("aggregate", "done", 1.0, 100),
    ]
    assert [one.began_at for one in timeline.steps()] == [100.0, 100.0, 101.0, 105.0, 107.0]
    assert timeline.ended_at == 108.0


def test_what_an_earlier_life_did_is_skipped_and_what_never_came_too() -> None:
    timeline = Timeline(MASKED, Moment(0.0))
    timeline.enter("share", Moment(1.0))
    timeline.end("failed", Moment(2.0))
    assert [(one.phase, one.state) for one in timeline.steps()] == [
        ("selected", "done"),
        ("download", "skipped"),
        ("train", "skipped"),
        ("share", "failed"),
        ("mask", "skipped"),
        ("upload", "skipped"),
        ("confirm", "skipped"),
        ("aggregate", "skipped"),
    ]


def test_clocks_set_back_and_a_new_link_take_nothing_away() -> None:
    timeline = Timeline(VISIBLE, Moment(100.0, 50, 50))
    timeline.see(Moment(90.0, 0, 0))
    assert timeline.steps()[0].seconds == 0.0
    timeline.see(Moment(95.0, 7, 0))
    assert (timeline.num_sent, timeline.steps()[0].seconds) == (7, 5.0)
