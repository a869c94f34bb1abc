"""What a run says: a bar on a terminal, lines elsewhere, JSON for programs; nothing raw."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from fedtui.experiments import planfile, progress
from fedtui.experiments.folder import RunInfo
from fedtui.experiments.planfile import PlanFile
from fedtui.experiments.progress import Bar, JsonLines, Lines, show_for
from fedtui.simulation.report import RoundReport

HOSTILE = "x\x1b[2J\u202ey"
RUN = Path("runs/ten")
INFO = RunInfo(
    seed=1,
    engine="serial",
    started_s=1.0,
    state="finished",
    reason="all 3 rounds done",
    num_rounds=3,
    virtual_s=4000.0,
    wall_s=2.5,
)


@pytest.fixture
def plan() -> PlanFile:
    text = '[federation]\nname = "ten"\n[task]\nname = "digits"\n[population]\nnodes = 1200\n'
    return planfile.parse(text, path=Path("plan.toml"))


def tell(show: progress.Show, plan: PlanFile, report: RoundReport) -> None:
    show.begins(plan, RUN, again=2)
    show.round(report)
    show.failed(7, 3, f"it broke {HOSTILE}", RUN / "failures" / "n.txt")
    show.failed(-1, 3, "so did this", None)
    show.ends(INFO, RUN)


def test_lines_say_all_that_a_person_wants(
    plan: PlanFile, a_round: Callable[..., RoundReport]
) -> None:
    stream = io.StringIO()
    tell(Lines(stream), plan, a_round(3, 0.9123))
    assert stream.getvalue().splitlines() == [
        "ten: 1,200 nodes, task digits, in runs/ten; goes on after round 2",
        "round 3: accuracy 0.9123, 9 of 10 counted, at 37.5 s, 1.00 MB up, 2.00 MB down",
        "node 7 dropped in round 3: it broke x[2Jy (traceback: runs/ten/failures/n.txt)",
        "the evaluator dropped in round 3: so did this",
        "finished: all 3 rounds done",
        "3 rounds, 1 h 06 min of virtual time, 2.5 s of yours",
        "results in runs/ten: picture.svg, rounds.parquet, model.safetensors",
    ]


def test_what_was_spent_is_said_at_the_end() -> None:
    spent = msgspec.structs.replace(INFO, delta=0.01, epsilon_guaranteed=2.5)
    line = "epsilon 2.5 guaranteed, without bound realised, at delta 0.01"
    assert line in progress.ended(spent, RUN)
    assert not any("epsilon" in said for said in progress.ended(INFO, RUN))


def test_json_lines_hold_every_field(plan: PlanFile, a_round: Callable[..., RoundReport]) -> None:
    stream = io.StringIO()
    tell(JsonLines(stream), plan, a_round(3, 0.9123))
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["begins", "round", "failed", "failed", "ends"]
    assert (events[0]["nodes"], events[0]["rounds_kept"]) == (1200, 2)
    assert (events[1]["score"], events[1]["bytes_up"]) == (0.9123, 1_000_000)
    assert (events[2]["node"], events[2]["traceback"]) == (7, "runs/ten/failures/n.txt")
    assert (events[4]["state"], events[4]["num_rounds"]) == ("finished", 3)


def test_a_bar_shows_rounds_and_score_and_leaves_lines(
    plan: PlanFile, a_round: Callable[..., RoundReport]
) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100)
    show = Bar(console)
    show.begins(plan, RUN, again=2)
    show.round(a_round(3, 0.9123))
    show._bar.refresh()
    show.failed(7, 3, f"it broke {HOSTILE}", None)
    show.ends(INFO, RUN)
    said = stream.getvalue()
    assert "3/100" in said
    assert "accuracy 0.9123" in said
    assert "it broke x[2Jy" in said
    assert "\x1b[2Jy" not in said
    assert "finished: all 3 rounds done" in said


def test_what_nobody_measured_is_told_by_its_loss(a_round: Callable[..., RoundReport]) -> None:
    assert "loss 0.5000" in progress.sentence(a_round(2))
    assert "not measured" in progress.sentence(a_round(2, loss=None))


def test_the_output_decides_unless_asked() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert isinstance(show_for(io.StringIO(), as_json=False), Lines)
    assert isinstance(show_for(Terminal(), as_json=False), Bar)
    assert isinstance(show_for(Terminal(), as_json=True), JsonLines)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0.0 s"), (119.94, "119.9 s"), (120, "2 min 00 s"), (3600, "1 h 00 min")],
)
def test_virtual_times_are_for_people(seconds: float, said: str) -> None:
    assert progress.virtual(seconds) == said
