import json

import pytest
from a_coordinator import a_finished_run

from coordinator import cli
from coordinator.exits import Exit
from coordinator.layout import Layout

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
        VISIBLE,
    ):
        assert wanted in text
    assert run("status", "--json", "--dir", ran.root) == Exit.OK
    status = json.loads(capsys.readouterr().out)
    assert [r["score"] for r in status["rounds"]] == [0.8, 0.8]
    assert (status["masked"], status["privacy"]) == (False, VISIBLE)
