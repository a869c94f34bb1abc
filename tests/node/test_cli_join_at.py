"""`fedtui join --at`: two words, or the whole fingerprint, before anything of ours is sent."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from a_greeter import Greeter, greeting
from fake_node import PLAN, FakeNode

from fedtui.crypto.keys import Identity, fingerprint
from node import cli, cli_join, cli_join_at
from node import config as configs
from node.exits import Exit
from node.keystore import TrustStore
from node.paths import Profile

COORDINATOR = Identity.from_seed(b"c" * 32)
WORDS = ("amber", "fjord", "cargo", "lunar", "ocean", "violin")
PRINT = fingerprint(COORDINATOR.id)


def join(*arguments: str) -> int:
    return cli._run(["--profile", "p", "join", *arguments])


@pytest.fixture(autouse=True)
def _words(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [1, 3]
    monkeypatch.setattr(cli_join_at, "words", lambda _: WORDS)
    monkeypatch.setattr(cli_join, "words", lambda _: ("one",) * 6)
    monkeypatch.setattr(cli_join_at.secrets, "randbelow", lambda _: drawn[0] or drawn.pop(0))


@pytest.fixture
def greeter() -> Iterator[Greeter]:
    with greeting(Greeter(COORDINATOR)) as one:
        yield one


def type_in(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    stdin = io.StringIO("\n".join(lines) + "\n")
    stdin.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", stdin)


def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))


def assert_untouched(home: Profile, greeter: Greeter) -> None:
    """Nothing pinned, nothing written, and only an ephemeral key was sent."""
    assert not home.config.exists()
    assert not home.trusted.exists()
    assert greeter.met == []
    assert [len(frame) for heard in greeter.frames for frame in heard] == [32]


def test_two_right_words_pin_the_key_and_join_without_an_invite(
    running: FakeNode,
    home: Profile,
    greeter: Greeter,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    type_in(monkeypatch, "Fjord", "cargo")
    assert join("--at", greeter.address, "--data", str(tmp_path), "--accept", PLAN.plan_hash) == 0
    config = configs.load(home.config)
    assert config.coordinator.id == COORDINATOR.id.hex()
    assert config.coordinator.addresses == [greeter.address]
    assert [one.id for one in TrustStore(home.root).all()] == [COORDINATOR.id]
    assert greeter.met == [], "the daemon is another program, and a fake here"
    said = capsys.readouterr().err
    assert said.index("type two of THOSE") < said.index(PRINT)
    assert "ward 7" in said


def test_our_words_are_not_shown_before_they_are_typed_nor_after_a_mistake(
    home: Profile,
    greeter: Greeter,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    type_in(monkeypatch, *["wrong", "words"] * 3)
    assert join("--at", greeter.address) == Exit.IDENTITY_CHANGED
    said = capsys.readouterr()
    assert not any(word in said.err + said.out for word in WORDS)
    assert PRINT not in said.err
    assert said.err.count("look again at ITS screen") == 2
    assert "Nothing was sent" in said.err
    assert_untouched(home, greeter)


def test_a_second_try_may_be_right_and_the_fingerprint_will_do(
    running: FakeNode, home: Profile, greeter: Greeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(monkeypatch, "fjord", "wrong", PRINT.lower().replace("-", " "))
    assert join("--at", greeter.address, "--accept", PLAN.plan_hash) == 0
    assert configs.load(home.config).coordinator.id == COORDINATOR.id.hex()


def test_a_script_gives_the_whole_fingerprint(
    running: FakeNode, home: Profile, greeter: Greeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_terminal(monkeypatch)
    assert join("--at", greeter.address, "--fingerprint", PRINT, "--accept", PLAN.plan_hash) == 0
    assert configs.load(home.config).coordinator.id == COORDINATOR.id.hex()


def test_D2_another_fingerprint_than_given_is_9_and_both_are_shown(
    home: Profile, greeter: Greeter, capsys: pytest.CaptureFixture[str]
) -> None:
    other = fingerprint(Identity.from_seed(b"o" * 32).id)
    code = join("--at", greeter.address, "--fingerprint", other, "--yes")
    assert code == Exit.IDENTITY_CHANGED
    said = capsys.readouterr().err
    assert other in said
    assert PRINT in said
    assert_untouched(home, greeter)


def test_part_of_a_fingerprint_is_65_and_nobody_is_dialled(
    home: Profile, greeter: Greeter
) -> None:
    assert join("--at", greeter.address, "--fingerprint", PRINT[:19], "--yes") == Exit.BAD_DATA
    assert greeter.frames == []


def test_without_a_terminal_somebody_must_have_given_the_fingerprint(
    home: Profile,
    greeter: Greeter,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    no_terminal(monkeypatch)
    assert join("--at", greeter.address, "--yes") == Exit.USAGE
    assert "--fingerprint" in capsys.readouterr().err
    assert_untouched(home, greeter)


def test_a_key_that_this_machine_pinned_needs_no_second_check(
    running: FakeNode,
    home: Profile,
    greeter: Greeter,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = home.root.parent / "other"
    other.mkdir(mode=0o700)
    pinned = COORDINATOR.public
    TrustStore(other).pin(pinned, addresses=("10.0.0.1:1",), label="ward 7", now_s=1.7e9)
    no_terminal(monkeypatch)
    assert join("--at", greeter.address, "--accept", PLAN.plan_hash) == 0
    assert "pinned that key 2023-11-1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--fingerprint", PRINT),
        ("--at", "c.example:1", "--invite-file", "-"),
        ("--at", "no address at all"),
    ],
)
def test_options_that_contradict_each_other_are_2(home: Profile, arguments: tuple[str]) -> None:
    assert join(*arguments) == Exit.USAGE
    assert not home.config.exists()
