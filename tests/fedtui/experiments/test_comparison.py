import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from fedtui.experiments import compare as comparing
from fedtui.experiments import comparison
from fedtui.experiments.compare import Comparison


@pytest.fixture
def compared(a_run: Callable[..., Path]) -> Comparison:
    slow, fast = "[training]\nlearning_rate = 0.01\n", "[training]\nlearning_rate = 0.1\n"
    runs = [
        a_run("a", [0.5, 0.6], slow, seed=1),
        a_run("b", [0.5, 0.8], slow, seed=2),
        a_run("c", [0.5], fast, seed=1),
    ]
    return comparing.compare([comparing.load(run) for run in runs], 0.7)


def test_columns_are_aligned_and_say_the_spread(compared: Comparison) -> None:
    header, slow, fast = comparison.text(compared).splitlines()
    assert slow.split("  ")[0] == "learning_rate=0.01"
    assert "0.7000 (0.6000..0.8000)" in slow
    assert " 1 of 2 " in slow
    assert " 0 of 1 " in fast
    end = header.index("final accuracy") + len("final accuracy")
    assert slow[:end].endswith("0.7000 (0.6000..0.8000)")
    assert fast[:end].endswith(" 0.5000")
    assert "6 MB" in slow


@pytest.mark.parametrize("width", [40, 80, 120, 250])
def test_a_terminal_shows_the_same_cells_in_its_width(compared: Comparison, width: int) -> None:
    sink = io.StringIO()
    comparison.show(compared, Console(file=sink, force_terminal=True, width=width, no_color=True))
    shown = sink.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "")
    header, body = comparison.rows(compared)
    for cell in [*header, *body[0], *body[1]]:
        assert cell in shown
    assert max(map(len, shown.splitlines())) <= max(width, 60)
    assert shown.count("learning_rate=0.01") == shown.count("run ")
    pipe = io.StringIO()
    comparison.show(compared, Console(file=pipe, width=width))
    assert pipe.getvalue() == comparison.text(compared) + "\n"


def test_json_holds_every_run(compared: Comparison) -> None:
    found = json.loads(comparison.as_json(compared))
    assert found["target"] == 0.7
    assert found["groups"][0]["spreads"]["final"]["least"] == 0.6
    assert [run["target"] and run["target"]["round"] for run in found["groups"][0]["runs"]] == [
        None,
        2,
    ]


def test_csv_has_a_line_per_run(compared: Comparison) -> None:
    found = list(csv.DictReader(io.StringIO(comparison.as_csv(compared))))
    assert [(line["group"], line["name"], line["final"]) for line in found] == [
        ("learning_rate=0.01", "a", "0.6"),
        ("learning_rate=0.01", "b", "0.8"),
        ("learning_rate=0.1", "c", "0.5"),
    ]
    assert [line["target_round"] for line in found] == ["", "2", ""]


def test_sizes_and_durations() -> None:
    assert [comparison.size(n) for n in (0, 12, 1.5e6)] == ["0 bytes", "12 bytes", "1.5 MB"]
    assert [comparison.duration(s) for s in (0.214, 12, 59.6, 185, 7800, 360_000)] == [
        "0.21 s",
        "12 s",
        "1:00 min",
        "3:05 min",
        "2:10 h",
        "4.17 days",
    ]
