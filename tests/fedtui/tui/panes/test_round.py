"""Seven phases made of the node's steps; notes in the frame; what is said where there is none."""

import a_status
import pytest
from msgspec.structs import replace

from fedtui.status import NodeStatus, Round, Step, Waiting
from fedtui.tui.panes.round import RoundPane, deadline, phases, training_time
from fedtui.tui.view import View


def of(status: NodeStatus) -> View:
    return View(status=status, now=a_status.NOW)


def at(phase: str, **more: object) -> NodeStatus:
    status = a_status.normal()
    return replace(
        status, round=replace(status.round, phase=phase, steps=a_status.steps(phase), **more)
    )


def states(status: NodeStatus) -> list[str]:
    return [one.state for one in phases(status)]


@pytest.mark.parametrize(
    ("now", "wanted"),
    [
        ("selected", "now waiting waiting waiting waiting waiting waiting"),
        ("train", "done done now waiting waiting waiting waiting"),
        ("share", "done done done now waiting waiting waiting"),
        ("mask", "done done done now waiting waiting waiting"),
        ("upload", "done done done done now waiting waiting"),
        ("confirm", "done done done done done now waiting"),
        ("aggregate", "done done done done done done now"),
    ],
)
def test_steps_make_seven_phases(now: str, wanted: str) -> None:
    assert states(at(now)) == wanted.split()


@pytest.mark.parametrize("now", ["selected", "train", "share", "upload", "confirm"])
def test_without_steps_the_phase_alone_says_nearly_the_same(now: str) -> None:
    status = at(now)
    told = replace(status, round=replace(status.round, steps=()))
    assert states(told).index("now") == states(status).index("now")


def test_phases_that_the_plan_does_not_have_are_skipped() -> None:
    steps = tuple(
        Step(phase=one, state="done")  # type: ignore[arg-type]
        for one in ("selected", "download", "train", "upload", "aggregate")
    )
    status = replace(a_status.normal(), round=Round(number=1, steps=steps))
    assert states(status) == ["done", "done", "done", "skipped", "done", "skipped", "done"]


def test_bytes_and_seconds_of_what_is_done_and_the_time_of_training() -> None:
    notes = [one.note for one in phases(a_status.normal())]
    assert notes == ["0.1s", "1.2MB 0.8s", "0:14/0:22", "", "", "", ""]
    assert phases(at("upload"))[3].note == "4.1kB 0.6s"


def test_without_an_estimate_only_the_time_so_far() -> None:
    status = a_status.normal()
    assert training_time(replace(status, training=replace(status.training, left_s=None))) == "0:14"


@pytest.mark.parametrize(
    ("left", "text", "style"),
    [(46, "deadline 46 s", ""), (75, "deadline 1:15", ""), (-1, "deadline passed", "$alarm")],
)
def test_the_deadline(left: float, text: str, style: str) -> None:
    piece = deadline(of(at("train", deadline_at=a_status.NOW + left)))
    assert (piece.text, piece.style) == (text, style)


def test_the_deadline_stands_still_on_a_frozen_display() -> None:
    view = View(status=a_status.normal(), now=a_status.NOW + 30, frozen_at=a_status.NOW)
    assert deadline(view).text == "deadline 46 s"


def test_notes_go_into_the_frame_where_rows_have_no_room() -> None:
    pane, view = RoundPane(), of(a_status.normal())
    assert pane.note(view, 116).plain == "deadline 46 s"
    assert pane.note(view, 76).plain == "train 0:14/0:22  deadline 46 s"
    assert pane.note(view, 36).plain == "deadline 46 s"


def test_waiting_for_others_is_said() -> None:
    note = RoundPane().note(of(at("confirm", have=6, need=8)), 100)
    assert note.plain.startswith("waiting for 6 of 8")


def test_a_node_that_sits_out_says_why() -> None:
    view = of(at("train", sat_out="sampled 5 of 8"))
    assert "sat out: sampled 5 of 8" in RoundPane().note(view, 76).plain


def test_before_the_first_round() -> None:
    waits = replace(a_status.normal(), round=Round(), waiting=Waiting(have=3, need=5))
    (row,) = RoundPane().look(of(waits), 80, 3)
    assert row.plain == "no round yet: 3 of 5 nodes here"
    (row,) = RoundPane().look(of(a_status.empty()), 80, 3)
    assert "in no federation" in row.plain
