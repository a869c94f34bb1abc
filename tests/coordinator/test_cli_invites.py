import json

import pytest
from a_coordinator import a_finished_run

from coordinator import cli
from coordinator.exits import Exit
from coordinator.layout import Layout


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return a_finished_run(tmp_path_factory.mktemp("ran"))


def run(*arguments: object) -> int:
    return cli._run([str(argument) for argument in arguments])


def test_an_unknown_role(ran: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("invite", "--role", "king", "--dir", ran.root) == Exit.USAGE
    assert "participant, evaluator or observer" in capsys.readouterr().err


def test_an_invite_goes_to_stdout_and_what_it_is_to_stderr(
    ran: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    ran.config.write_text(ran.config.read_text().replace("port = 0", "port = 8443", 1))
    assert run("invite", "--hours", "2", "--dir", ran.root) == Exit.OK
    said = capsys.readouterr()
    assert said.out.startswith("fedtui1:")
    assert said.out.count("\n") == 1
    assert said.err.startswith("for 1 participant, until ")
    assert "fedtui1:" not in said.err


def test_invites_are_listed_without_their_text(
    ran: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("invites", "--dir", ran.root) == Exit.OK
    listed = capsys.readouterr().out
    assert listed.count("spent") == 2, "the two nodes of the run came with one each"
    assert "fedtui1:" not in listed
    assert run("invites", "--json", "--dir", ran.root) == Exit.OK
    found = json.loads(capsys.readouterr().out)
    assert {line["uses_left"] for line in found if line["state"] == "spent"} == {0}


def test_taking_an_invite_back_names_it_in_full(
    ran: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("invites", "revoke", "xyz", "--dir", ran.root) == Exit.USAGE
    assert "is no id of an invite" in capsys.readouterr().err
    assert run("invites", "revoke", "00" * 8, "--dir", ran.root) == Exit.NOT_RUNNING
