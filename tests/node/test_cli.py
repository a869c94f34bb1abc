"""The commands: data on stdout, one clear line on stderr, the exit code of the table."""

import asyncio
import json

import pytest
from fake_node import FakeNode

from fedtui import __version__
from node import cli, ledger, plain_log
from node.ledger import Entry, Ledger
from node.paths import Profile

COMMANDS = "join status pause resume leave stop ledger log node trust task model predict"


def fedtui(*arguments: str) -> int:
    return cli._run(["--profile", "p", *arguments])


@pytest.mark.parametrize("command", ["status", "pause", "resume", "stop", "leave"])
def test_without_a_node_the_remedy_is_said(
    home: Profile, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert fedtui(command) == 6
    said = capsys.readouterr()
    assert said.out == ""
    assert "no node is running" in said.err
    assert "fedtui --profile p join" in said.err, "the other profile's would act elsewhere"


def test_status_for_people_and_programs(
    running: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fedtui("status") == 0
    assert "IDLE" in capsys.readouterr().out
    assert fedtui("status", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["state"], found["label"]) == ("idle", "alder")


def test_pause_and_resume_act(running: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    assert fedtui("pause") == 2, "nothing to pause yet"
    assert "no federation" in capsys.readouterr().err
    asyncio.run(running.join())
    assert fedtui("pause") == 0
    assert running.board.status.state == "paused"
    assert fedtui("resume") == 0
    assert running.board.status.state == "waiting"


def test_leave_without_a_terminal_needs_no_question(
    running: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(running.join())
    assert fedtui("leave", "--yes") == 0
    assert running.board.status.state == "idle"
    assert "ledger is kept" in capsys.readouterr().err


def test_the_ledger_is_read_also_without_a_node(
    home: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fedtui("ledger") == 0
    assert "no update and no sums have left" in capsys.readouterr().out
    book = Ledger(home.ledger)
    for number in range(3):
        book.append(Entry(at=1.0, round=number, what="update", num_bytes=7, form="f"))
    book.close()
    assert fedtui("ledger", "--limit", "2", "--json") == 0
    assert [one["round"] for one in json.loads(capsys.readouterr().out)] == [1, 2]
    assert fedtui("ledger") == 0
    assert "3 entries, 21 bytes" in capsys.readouterr().out
    assert fedtui("ledger", "--limit", "2") == 0
    assert "the last 2 of 3 entries; 21 bytes in all" in capsys.readouterr().out
    assert len(ledger.tail(home.ledger, 9)) == 3


def test_the_log_is_read_also_without_a_node(
    home: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    log = plain_log.PlainLog(home.log)
    for number in range(5):
        log.line(f"line {number}")
    assert fedtui("log", "-n", "2") == 0
    said = capsys.readouterr().out
    assert "line 4" in said
    assert "line 2" not in said


def test_the_log_as_json_comes_from_the_node(
    running: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    running.board.log("warning", "watch out")
    assert fedtui("log", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["text"] == "watch out"


def test_the_log_as_json_is_read_also_without_a_node(
    home: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fedtui("log", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []
    plain_log.PlainLog(home.log).line("warning: watch out")
    assert fedtui("log", "--json") == 0
    (line,) = json.loads(capsys.readouterr().out)
    assert (line["level"], line["text"]) == ("warning", "warning: watch out")
    assert line["at"] > 1e9


def test_commands_of_the_default_profile_need_no_option(
    home: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli._run(["status"]) == 6
    assert "'fedtui join'" in capsys.readouterr().err


def test_bare_fedtui_says_what_there_is(
    running: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fedtui() == 0
    said = capsys.readouterr().out
    assert "IDLE" in said
    for command in COMMANDS.split():
        assert command in said


def test_bare_fedtui_without_a_node_is_no_error(
    home: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fedtui() == 0
    assert "no node is running" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._run(["--version"]) == 0
    assert capsys.readouterr().out == f"fedtui {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["status", "--nonsense"], ["ledger", "--limit", "many"]]
)
def test_wrong_arguments_are_2(home: Profile, arguments: list[str]) -> None:
    assert fedtui(*arguments) == 2


def test_a_profile_that_cannot_be_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._run(["--profile", "../x", "status"]) == 2
    assert "cannot be a profile" in capsys.readouterr().err


def test_ctrl_c_is_130(home: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.asyncio, "run", interrupted)
    monkeypatch.setattr(cli, "_print_status", lambda *_, **__: None)
    assert fedtui("status") == 130


def test_a_bug_keeps_its_traceback(home: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("bug")

    monkeypatch.setattr(cli, "_print_status", broken)
    with pytest.raises(KeyError):
        fedtui("status")
