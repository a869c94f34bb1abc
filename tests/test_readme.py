"""What README and docs tell a reader to type works: the code blocks run, the commands exist."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer

from coordinator.cli import app as coordinator_app
from fedtui.plugins import build_file
from node.cli import app as node_app

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
EXTENDING = ROOT / "docs" / "extending.md"
DOCUMENTS = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
APPS = {"fedtui": node_app, "fedtui-coordinator": coordinator_app}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ELSEWHERE = {"&", ">", "..."}  # words of the shell


def python_block(document: Path) -> str:
    """The only block of Python in a document."""
    blocks = [
        code for language, code in FENCE.findall(document.read_text()) if language == "python"
    ]
    assert len(blocks) == 1, f"{document.name} has {len(blocks)} blocks of Python"
    return str(blocks[0])


def code_of(document: Path) -> list[str]:
    """Every line of code in a document: fenced, indented, or between single backquotes."""
    text = document.read_text()
    lines = [line for language, block in FENCE.findall(text) for line in block.splitlines()]
    rest = FENCE.sub("", text)
    lines += re.findall(r"^ {4}(\S.*)$", rest, re.MULTILINE)
    lines += re.findall(r"`([^`\n]+)`", rest)
    return [line.strip().removeprefix("$ ") for line in lines]


def commands_of(line: str) -> list[tuple[str, list[str]]]:
    """(program, its words) of a line that begins with one of the programs."""
    words = line.partition(" #")[0].split()
    if not words or Path(words[0].removeprefix("ExecStart=")).name not in APPS:
        return []
    program = Path(words[0].removeprefix("ExecStart=")).name
    return [(program, [w for w in words[1:] if w not in ELSEWHERE])]


def missing(program: str, words: list[str]) -> str:
    """What of these words the program does not know; empty if it knows them all."""
    command = typer.main.get_command(APPS[program])
    path = [program]
    expects_value = False
    for word in words:
        commands = getattr(command, "commands", {})
        options = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
        if word.startswith("--"):
            if word not in {*options, "--help"}:
                return f"{' '.join(path)} has no option {word}"
            flags = {n for p in command.params if getattr(p, "is_flag", False) for n in p.opts}
            expects_value = word not in {*flags, "--help"}
        elif expects_value:
            expects_value = False
        elif commands:
            found = [commands[each] for each in word.split("|") if each in commands]
            if len(found) <= word.count("|"):
                return f"{' '.join(path)} has no command {word}"
            command, path = found[0], [*path, word]
    return ""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_in_a_document_exists(document: Path) -> None:
    problems = [
        f"{line}: {problem}"
        for line in code_of(document)
        for program, words in commands_of(line)
        if (problem := missing(program, words))
    ]
    assert problems == []


def test_commands_are_found_and_wrong_ones_are_told() -> None:
    assert len([line for line in code_of(README) if commands_of(line)]) > 15
    assert missing("fedtui", ["--profile", "a", "join", "--invite-file", "F"]) == ""
    assert missing("fedtui-coordinator", ["nodes", "approve", "--dir", "fed", "X"]) == ""
    assert "no command juggle" in missing("fedtui", ["juggle"])
    assert "no option --clubs" in missing("fedtui", ["task", "check", "f.py", "--clubs"])


@pytest.mark.loopback
@pytest.mark.timeout(200)
def test_the_task_of_the_readme_is_short_and_passes_its_check(tmp_path: Path) -> None:
    code = python_block(README)
    assert len(code.splitlines()) <= 30
    (tmp_path / "my_task.py").write_text(code)
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (40, 16, 16), dtype=np.uint8)
    np.savez(tmp_path / "drawings.npz", images=images, labels=np.arange(40) % 2)
    done = subprocess.run(
        [sys.executable, "-m", "node", "task", "check", "my_task.py", "--data", "drawings.npz"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "40 examples" in done.stdout
    assert "would send" in done.stdout
    assert "circle" in done.stdout


def test_fedprox_of_the_documents_takes_the_step_that_the_paper_says(tmp_path: Path) -> None:
    file = tmp_path / "fedprox.py"
    file.write_text(python_block(EXTENDING))
    strategy = build_file(file, None, mu=0.5)
    grad, param, anchor = (np.array(v, np.float32) for v in ([1, 2], [3, 5], [1, 9]))
    # grad + mu * (param - anchor), by hand: [1 + 0.5 * 2, 2 - 0.5 * 4]
    assert strategy.correct(grad, param, anchor, ()).tolist() == [2.0, 0.0]
    model, state = strategy.apply(param, np.array([-1.0, 0.25]), strategy.init(2))
    assert model.tolist() == [2.0, 5.25]
    assert model.dtype == np.float32
    assert state.num_rounds == 1
    rule = strategy.local(state)
    assert (rule.name, rule.options) == ("fedprox", {"mu": 0.5})
