import json
import math
from pathlib import Path

import dp_accounting
import pytest
from a_coordinator import a_finished_run
from msgspec.structs import replace

from coordinator import cli, cli_status, offline
from coordinator.exits import Exit
from coordinator.layout import Layout
from fedtui.status.coordinator import RoundLine

VISIBLE = "updates are visible to the coordinator"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return a_finished_run(tmp_path_factory.mktemp("ran"))


def run(*arguments: object) -> int:
    return cli._run([str(argument) for argument in arguments])


def test_status_for_people_and_for_scripts(
    ran: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("status", "--dir", ran.root) == Exit.OK
    text = capsys.readouterr().out
    for wanted in (
        "its federation ended: all 2 rounds done",
        "best",
        "accuracy 0.8000, 2 nodes",
        "visible: the coordinator can read each update; cohort of 2",
        "weights: shares ",
        "updates      of round 2, the longest first",
        " along the median",
        VISIBLE,
    ):
        assert wanted in text
    assert run("status", "--json", "--dir", ran.root) == Exit.OK
    status = json.loads(capsys.readouterr().out)
    assert [r["score"] for r in status["rounds"]] == [0.8, 0.8]
    assert [seen["length"] > 0 for seen in status["updates_seen"]] == [True, True]
    assert (status["masked"], status["privacy"]) == (False, VISIBLE)
    assert all(0 < r["smallest"] <= r["median"] <= r["largest"] < 1 for r in status["rounds"])
    assert all(1 <= r["alike"] <= r["participants"] for r in status["rounds"])


def test_what_did_not_have_to_travel_is_said_if_it_is_anything(ran: Layout) -> None:
    found = offline.status(ran)
    assert "saved" not in cli_status._text(found)
    text = cli_status._text(replace(found, saved_up=1_500_000, saved_down=2_000))
    assert "saved        1.5 MB up by shorter updates, 2.0 kB down by changes" in text


def test_a_masked_round_says_who_dropped_out_and_what_could_be_learned() -> None:
    line = RoundLine(
        round=7,
        attempt=1,
        seconds=1.25,
        score=None,
        participants=3,
        dropped=2,
        bytes_up=4_000_000,
        bytes_down=1_000_000,
        model="",
        cohort=5,
        lost=("anna",),
        masked=True,
        ready=4,
        threshold=3,
        colluders=1,
        num_honest=2,
    )
    assert cli_status._round_text(line, "accuracy") == (
        "       7  not measured, 3 nodes (anna and 1 more dropped out), 1.2 s, 4.0 MB up "
        "(masked), 1.0 MB down\n"
        "          masked: 4 of a cohort of 5 were ready, 3 open a sum; up to 1 node in league\n"
        "          with the coordinator can learn sums over at least 2 honest nodes, nothing else"
    )
    older = replace(line, ready=0, threshold=0, colluders=0, num_honest=0)
    assert cli_status._mask_text(older) == "masked; cohort of 5"


def test_status_says_what_was_spent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout = a_finished_run(tmp_path)
    assert run("status", "--dir", layout.root) == Exit.OK
    assert "spent" not in capsys.readouterr().out
    hidden = '[dp]\nmechanism = "local"\nnoise = 2.0\ndelta = 0.01\n'
    hidden += '[training]\nupdate_clip = 1.0\n[weights]\nby = "equal"\n'
    hidden += "[evaluation]\nholdout = 0.0\n"
    layout.plan.write_text(layout.plan.read_text() + hidden)
    assert run("status", "--dir", layout.root) == Exit.OK
    told = capsys.readouterr().out
    one = dp_accounting.get_epsilon_gaussian(2.0 / math.sqrt(2), 0.01)
    assert f"spent        epsilon {one:.4g} guaranteed" in told
    assert "every node adds noise of its own" in told
