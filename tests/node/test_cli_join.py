"""`fedtui join`: the invite, the operator's choices, the question, and what is refused."""

import asyncio
import io
import json
import os
import sys
from pathlib import Path

import pytest
from fake_node import PLAN, FakeNode

from fedtui.crypto.keys import Identity, fingerprint
from fedtui.status import CheckReport
from fedtui.wire.invite import Invite
from node import cli, cli_join, launch
from node import config as configs
from node.paths import Profile

FIRST, SECOND = Identity.from_seed(b"1" * 32), Identity.from_seed(b"2" * 32)


def invite(tmp_path: Path, identity: Identity = FIRST, address: str = "c.example:8443") -> str:
    text = Invite(
        coordinator_id=identity.id,
        invite_id=os.urandom(8),
        secret=b"hush" * 4,
        expires=2**31,
        addresses=(address,),
    ).encode()
    path = tmp_path / "invite"
    path.write_text(text + "\n")
    return str(path)


def join(*arguments: str) -> int:
    return cli._run(["--profile", "p", "join", *arguments])


@pytest.fixture(autouse=True)
def _no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_join, "words", lambda _: ("one",) * 6)


def test_joining_writes_node_toml_and_consents_to_the_accepted_hash(
    running: FakeNode, home: Profile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = join(
        *("--invite-file", invite(tmp_path), "--data", str(tmp_path), "--split", "iid"),
        *("--shard", "1/4", "--split-seed", "7", "--label", "al\x1bice", "--json"),
        *("--accept", PLAN.plan_hash.upper()),
    )
    assert code == 0
    config = configs.load(home.config)
    assert config.coordinator.id == FIRST.id.hex()
    assert config.coordinator.addresses == ["c.example:8443"]
    assert config.data == configs.DataTable(path=str(tmp_path), shard="1/4", split_seed=7)
    assert config.label == "alice"
    said = capsys.readouterr()
    assert json.loads(said.out)["consented"] is True
    for words in ("update", "visible", "the coordinator", "your examples", "4 examples"):
        assert words in said.err
    assert running.invites[0].startswith("fedtui1:")


def test_another_plan_than_accepted_is_7_and_both_hashes_are_shown(
    running: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert join("--invite-file", invite(tmp_path), "--accept", "cd" * 32) == 7
    said = capsys.readouterr().err
    assert "cd" * 32 in said
    assert PLAN.plan_hash in said
    assert not running.board.status.consented


def test_without_a_terminal_somebody_must_have_said_yes(
    running: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert join("--invite-file", invite(tmp_path)) == 2
    assert f"fedtui --profile p join --accept {PLAN.plan_hash}" in capsys.readouterr().err
    assert not running.board.status.consented


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 7), ("\n", 7), ("", 130)])
def test_at_a_terminal_the_question_decides_and_no_is_the_default(
    running: FakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    stdin = io.StringIO(answer)
    stdin.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", stdin)
    assert join("--invite-file", invite(tmp_path)) == code
    assert running.board.status.consented is (code == 0)


def test_who_does_not_agree_hears_what_the_coordinator_knows_already(
    running: FakeNode,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stdin = io.StringIO("n\n")
    stdin.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", stdin)
    assert join("--invite-file", invite(tmp_path)) == 7
    said = capsys.readouterr().err
    for words in ("nothing of your data was sent", "key, name and address", "used up"):
        assert words in said
    assert "; nothing was sent" not in said


def test_data_that_cannot_be_used_is_65_before_any_consent(
    running: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running.report = CheckReport(problems=("row 3: no number",))
    assert join("--invite-file", invite(tmp_path), "--yes") == 65
    assert capsys.readouterr().err.count("row 3") == 1
    running.report = CheckReport(problems=("x.csv does not exist",), exit_code=66)
    assert join("--yes") == 66
    assert not running.board.status.consented


def test_the_invite_comes_from_stdin(
    running: FakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Path(invite(tmp_path)).read_text()
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert join("--yes", "--invite-file", "-") == 0
    assert running.invites == [text.strip()]


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        ("", 2, "no invite"),
        ("hello", 65, "not a fedtui invite"),
        ("fedtui1:AAAA", 65, "incomplete"),
        ("fedtui2:AAAA", 65, "format 2"),
    ],
)
def test_E1_what_is_no_invite_is_refused_here(
    home: Profile,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str,
    code: int,
    words: str,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(content))
    assert join("--yes") == code
    assert words in capsys.readouterr().err
    assert not home.config.exists()


def test_a_missing_invite_file_is_66(home: Profile) -> None:
    assert join("--invite-file", "/nonexistent") == 66


@pytest.mark.parametrize(
    "option", [["--shard", "4/4"], ["--role", "king"], ["--threads", "0"], ["--shard", "x"]]
)
def test_choices_that_cannot_be_are_2_and_change_nothing(
    home: Profile, tmp_path: Path, option: list[str]
) -> None:
    assert join("--invite-file", invite(tmp_path), *option) == 2
    assert not home.config.exists()


def test_E3_a_profile_of_another_federation_is_left_alone(
    running: FakeNode, home: Profile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert join("--invite-file", invite(tmp_path), "--yes") == 0
    assert join("--invite-file", invite(tmp_path, SECOND, "d.example:1"), "--yes") == 7
    assert "--profile OTHER" in capsys.readouterr().err
    assert configs.load(home.config).coordinator.id == FIRST.id.hex()


def test_E3_a_new_invite_brings_a_new_key_with_both_fingerprints_shown(
    running: FakeNode, home: Profile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert join("--invite-file", invite(tmp_path), "--yes") == 0
    assert join("--invite-file", invite(tmp_path, SECOND), "--yes") == 0
    said = capsys.readouterr().err
    assert fingerprint(FIRST.id) in said
    assert fingerprint(SECOND.id) in said
    assert configs.load(home.config).coordinator.id == SECOND.id.hex()


def test_a_refusal_of_the_coordinator_ends_the_command_with_its_code(
    running: FakeNode,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refused(invite: str = "") -> None:
        running.board.problem("the invite is used up", remedy="ask for another", code=4001)
        running.board.state("stopped", "the invite is used up")

    monkeypatch.setattr(running, "join", refused)
    assert join("--invite-file", invite(tmp_path), "--yes") == 8
    said = capsys.readouterr().err
    assert "used up" in said
    assert "ask for another" in said


def test_a_coordinator_that_does_not_answer_is_69(
    running: FakeNode,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def nothing(invite: str = "") -> None:
        running.board.state("connecting", "no connection to c.example: no answer")

    monkeypatch.setattr(running, "join", nothing)
    assert join("--invite-file", invite(tmp_path), "--yes", "--timeout", "1") == 69
    said = capsys.readouterr().err
    assert "no answer" in said
    assert "connecting to c.example" not in said, "there is no terminal"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert join("--invite-file", invite(tmp_path), "--yes", "--timeout", "1") == 69
    said = capsys.readouterr().err
    assert "connecting to c.example:8443 ...\n" in said
    assert "no connection to c.example: no answer ...\n" in said


def test_a_failed_join_leaves_nothing_running_that_it_started(
    running: FakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def started(*_: object) -> bool:
        return True

    async def not_running(*_: object) -> bool:
        return False

    monkeypatch.setattr(launch, "ensure_running", started)
    monkeypatch.setattr(launch, "is_running", not_running)
    assert join("--invite-file", invite(tmp_path), "--accept", "cd" * 32) == 7
    assert running.stopped


def test_pending_says_fingerprint_and_words(
    running: FakeNode,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def pending(plan_hash: str) -> None:
        running.board.state("pending", "waiting for approval by the coordinator's operator")

    monkeypatch.setattr(running, "consent", pending)
    assert join("--invite-file", invite(tmp_path), "--yes") == 0
    said = capsys.readouterr().err
    assert "waiting for approval" in said
    assert "one one one" in said


def test_joining_again_needs_no_invite_and_no_second_yes(
    running: FakeNode, home: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert join("--invite-file", invite(tmp_path), "--yes") == 0

    async def member(invite: str = "") -> None:
        running.invites.append(invite)

    monkeypatch.setattr(running, "join", member)
    assert join("--label", "bob") == 0
    assert running.invites[-1] == ""
    assert configs.load(home.config).label == "bob"
    assert asyncio.run(running.status()).consented


def test_K2_the_invite_is_in_no_file_of_the_profile(
    running: FakeNode, home: Profile, tmp_path: Path
) -> None:
    path = invite(tmp_path)
    text = Path(path).read_text().strip()
    assert join("--invite-file", path, "--yes") == 0
    for file in home.root.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert text.encode() not in content
            assert b"hush" not in content


def test_whether_updates_may_be_visible_is_what_the_operator_said_last(
    running: FakeNode, home: Profile, tmp_path: Path
) -> None:
    first = ("--invite-file", invite(tmp_path), "--accept", PLAN.plan_hash)
    assert join(*first) == 0
    assert configs.load(home.config).privacy.require_masked
    assert join("--visible", "--accept", PLAN.plan_hash) == 0
    assert not configs.load(home.config).privacy.require_masked
    assert join("--label", "x", "--accept", PLAN.plan_hash) == 0
    assert not configs.load(home.config).privacy.require_masked
    assert join("--masked", "--accept", PLAN.plan_hash) == 0
    assert configs.load(home.config).privacy.require_masked
