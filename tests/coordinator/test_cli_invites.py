import json
from types import SimpleNamespace

import pytest
from a_coordinator import a_finished_run

from coordinator import adminclient, cli, cli_invites
from coordinator.database import Lock
from coordinator.exits import Exit
from coordinator.layout import Layout
from fedtui.status.coordinator import MadeInvite


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


@pytest.mark.parametrize("comes_up", [True, False])
def test_a_coordinator_that_is_just_starting_is_waited_for(
    ran: Layout,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    comes_up: bool,
) -> None:
    now = [100.0]
    made = MadeInvite(
        invite="fedtui1:x", id="x", expires=0.0, uses=1, role="observer", addresses=()
    )

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(
        cli_invites, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep)
    )
    monkeypatch.setattr(adminclient, "is_running", lambda _: comes_up and now[0] > 103)
    monkeypatch.setattr(adminclient, "ask", lambda *_: made)
    lock = Lock(ran.state)
    try:
        status = run("invite", "--dir", ran.root)
    finally:
        lock.release(clean=True)
    said = capsys.readouterr()
    if comes_up:
        assert (status, said.out) == (Exit.OK, "fedtui1:x\n")
    else:
        assert (status, said.out) == (Exit.TRY_LATER, "")
        assert "is in use by process" in said.err
        assert now[0] < 120


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
