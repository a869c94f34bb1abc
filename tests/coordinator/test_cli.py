"""The commands' outside: one clear line, an exit status, never a traceback."""

from pathlib import Path

import pytest
from a_coordinator import make

from coordinator import cli
from coordinator.exits import Exit


def run(*arguments: object) -> int:
    return cli._run([str(argument) for argument in arguments])


@pytest.mark.parametrize(
    "arguments",
    [
        ("bogus",),
        ("serve", "--bogus"),
        ("nodes", "approve"),
        ("init", "--port", "70000"),
        ("invite", "--uses", "0"),
        ("backup",),
    ],
)
def test_wrong_arguments(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    assert run(*arguments) == Exit.USAGE
    said = capsys.readouterr()
    assert said.out == ""
    assert "--help" in said.err


def test_a_masked_plan_that_cannot_work_is_refused_with_its_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wishes = ("init", "--dir", tmp_path / "f", "--masked", "--minimum", "101")
    assert run(*wishes) == Exit.BAD_CONFIG
    said = capsys.readouterr()
    assert said.out == ""
    assert "plan.toml: [privacy] largest_cohort = 100 is less than the 101 nodes" in said.err
    assert list(tmp_path.iterdir()) == []


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == run("--help") == run("--version") == Exit.OK
    said = capsys.readouterr().out
    for command in ("init", "serve", "invite", "nodes", "status", "pause", "resume", "stop"):
        assert command in said
    assert "fedtui 0." in said


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("nodes",),
        ("invite",),
        ("audit", "show"),
        ("audit", "verify"),
        ("export", "--out", "x"),
    ],
)
def test_without_a_coordinator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    status = run(*command, "--dir", tmp_path / "none")
    said = capsys.readouterr()
    assert status in {Exit.MISSING_INPUT, Exit.NO_PERMISSION}
    assert said.out == ""
    assert said.err.startswith("fedtui-coordinator: ")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        ("pause",),
        ("resume",),
        ("stop",),
        ("follow",),
        ("nodes", "approve", "A" * 32),
        ("nodes", "revoke", "A" * 32),
    ],
)
def test_what_needs_a_running_one_says_how_to_start_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    assert run(*command, "--dir", tmp_path) == Exit.NOT_RUNNING
    said = capsys.readouterr().err
    assert f"fedtui-coordinator serve --dir {tmp_path}" in said
    assert said.count("\n") == 1


def test_a_mistake_in_the_configuration_names_line_and_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = make(tmp_path / "f")
    text = layout.config.read_text()
    layout.config.write_text(text.replace("port = 0", "prot = 0", 1))
    assert run("status", "--dir", layout.root) == Exit.BAD_CONFIG
    line = text[: text.index("port = 0")].count("\n") + 1
    said = capsys.readouterr().err
    assert f"{layout.config}, line {line}: [server] prot: there is no such key" in said
    assert "did you mean 'port'?" in said


def test_ctrl_c_is_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)
    assert run("status") == Exit.INTERRUPTED
    assert capsys.readouterr().err == "interrupted\n"
