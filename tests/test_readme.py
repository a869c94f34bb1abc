"""What README and docs tell a reader to type works: the code blocks run, the commands exist."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from two_nodes import TwoNodes

from coordinator.cli import app as coordinator_app
from fedtui.experiments.cli import app as simulate_app
from fedtui.plugins import build_file
from node.cli import app as node_app

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
EXTENDING = ROOT / "docs" / "extending.md"
DOCUMENTS = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
APPS = {
    "fedtui": node_app,
    "fedtui-coordinator": coordinator_app,
    "fedtui-simulate": simulate_app,
}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ELSEWHERE = {"&", ">", "..."}  # words of the shell


def python_block(document: Path, about: str = "") -> str:
    """The only block of Python in a document that speaks of this."""
    found = FENCE.findall(document.read_text())
    blocks = [code for language, code in found if language == "python" and about in code]
    assert len(blocks) == 1, f"{document.name} has {len(blocks)} blocks of Python on {about!r}"
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


# ---- "Your own data" and "Your own model", word by word and with the real programs ------------


def section(heading: str) -> str:
    """What README says under a heading."""
    found = re.search(rf"^## {heading}\n(.*?)^## ", README.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def blocks(heading: str, language: str) -> list[str]:
    return [code for kind, code in FENCE.findall(section(heading)) if kind == language]


def commands_under(heading: str) -> list[str]:
    (block,) = blocks(heading, "console")
    return [line.removeprefix("$ ") for line in block.splitlines()]


class Desk:
    """A folder where somebody types what README says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "run").mkdir(mode=0o700)
        self.environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "FEDTUI_HOME": str(folder / "nodes"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
        }

    def type(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            shlex.split(line),
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def works(self, line: str) -> str:
        """Type a line that must succeed; return what it printed."""
        done = self.type(line)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        return done.stdout

    def change(self, file: str, **values: object) -> None:
        """Set keys of a TOML file in the coordinator's directory, wherever they stand."""
        path = self.folder / "fed" / file
        text = path.read_text()
        for key, value in values.items():
            text, num = re.subn(
                rf"^{key} = [^#\n]*", f"{key} = {value} ", text, flags=re.MULTILINE
            )
            assert num, key
        path.write_text(text)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The coordinator of `fed`, and an end to all nodes that were started meanwhile."""
        server = subprocess.Popen(
            ["fedtui-coordinator", "serve", "--dir", "fed", "--json"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert server.stdout is not None
            assert server.stdout.readline(), "it did not start"
            yield
        finally:
            self.type("fedtui stop")
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=30)

    def until(self, done: Callable[[], bool], *, limit_s: float = 90.0) -> None:
        """Wait for another process."""
        end = time.monotonic() + limit_s
        while not done():
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.2)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def write_drawings(folder: Path) -> np.ndarray:
    """my_task.py and drawings.npz, as README has them; returns the images."""
    (folder / "my_task.py").write_text(python_block(README))
    images = np.random.default_rng(1).integers(0, 256, (40, 16, 16), dtype=np.uint8)
    np.savez(folder / "drawings.npz", images=images, labels=np.arange(40) % 2)
    return images


@pytest.mark.loopback
@pytest.mark.timeout(300)
def test_your_own_model_works_from_its_check_to_its_predictions(desk: Desk) -> None:
    assert len(python_block(README).splitlines()) <= 30
    images = write_drawings(desk.folder)
    check, init, join = commands_under("Your own model")
    said = desk.works(check)
    assert "40 examples" in said
    assert "would send" in said
    assert "circle" in said
    desk.works(init)
    task = tomllib.loads((desk.folder / "fed/plan.toml").read_text())["task"]
    digest = sha256((desk.folder / "my_task.py").read_bytes()).hexdigest()
    assert task == {"name": "my_task", "metric": "accuracy", "sha256": digest}

    # README's federation is for three nodes and more, masked: here it ends after a round of one.
    desk.change("coordinator.toml", host='"127.0.0.1"', port=0, addresses='["127.0.0.1"]')
    desk.change("plan.toml", minimum=1, maximum=1, updates='"visible"')
    with desk.serving():
        made = desk.works("fedtui-coordinator invite --dir fed --auto-approve --json")
        (desk.folder / "my.invite").write_text(json.loads(made)["invite"])
        desk.works(f"{join} --yes --visible")
        np.save(desk.folder / "new.npy", images[:3])
        desk.until(lambda: desk.type("fedtui predict new.npy").returncode == 0)
        answers = desk.works("fedtui predict new.npy").splitlines()
        refused = desk.type("fedtui predict drawings.npz")
    assert [json.loads(line)["prediction"] in {"circle", "cross"} for line in answers] == [
        True
    ] * 3
    assert "predicts from a .npy file" in refused.stderr
    for document in (section("Your own model"), EXTENDING.read_text()):
        assert "`.npy`" in document
        assert "`np.save`" in document


@pytest.mark.loopback
@pytest.mark.timeout(300)
def test_images_go_the_whole_way_from_init_to_predictions(desk: Desk) -> None:
    (row,) = re.findall(r"^\| `image_folder` .*`init (.*)` \|$", README.read_text(), re.MULTILINE)
    for name, shade in (("cat", 40), ("dog", 200)):
        (desk.folder / "own" / name).mkdir(parents=True)
        for number in range(12):
            grey = Image.new("L", (30, 20), shade + number)
            grey.save(desk.folder / "own" / name / f"{number}.png")
    desk.works(f"fedtui-coordinator init --dir fed {row} --metric macro_f1 --visible")
    plan = tomllib.loads((desk.folder / "fed/plan.toml").read_text())
    assert plan["task"]["options"] == {"classes": ["cat", "dog"]}
    desk.change("coordinator.toml", host='"127.0.0.1"', port=0, addresses='["127.0.0.1"]')
    desk.change("plan.toml", minimum=1, maximum=6)
    with desk.serving():
        for name in ("broken", "good"):
            made = desk.works("fedtui-coordinator invite --dir fed --auto-approve --json")
            (desk.folder / f"{name}.invite").write_text(json.loads(made)["invite"])
        join = "fedtui {} join --invite-file {} --data own --yes --visible"
        (desk.folder / "own" / "dog" / "x.jpg").write_bytes(b"no image")
        refused = desk.type(join.format("--profile broken", "broken.invite"))
        assert refused.returncode == 65
        assert "own/dog/x.jpg is not an image that can be read" in refused.stdout + refused.stderr
        (desk.folder / "own" / "dog" / "x.jpg").unlink()
        desk.works(join.format("", "good.invite"))
        desk.until(
            lambda: "all 6 rounds done" in desk.works("fedtui-coordinator status --dir fed")
        )
        answers = desk.works("fedtui predict own/dog").splitlines()
    assert [json.loads(line)["prediction"] for line in answers] == ["dog"] * 12


@pytest.mark.loopback
@pytest.mark.timeout(120)
def test_the_own_task_of_the_documents_is_tried_by_its_check(desk: Desk) -> None:
    code = python_block(EXTENDING, "class Alarms")
    assert len(code.splitlines()) <= 30
    (desk.folder / "alarms.py").write_text(code)
    rng = np.random.default_rng(1)
    readings, alarms = rng.standard_normal((20, 4, 60)), rng.integers(0, 2, (20, 3))
    np.savez(desk.folder / "pump.npz", readings=readings, alarms=alarms)
    said = desk.works("fedtui task check alarms.py --data pump.npz")
    assert "20 examples, measured by macro_f1" in said
    assert "would send" in said
    assert "predicted_0 to predicted_63" in said
    np.savez(desk.folder / "short.npz", readings=readings[:, :, :9], alarms=alarms)
    np.savez(desk.folder / "odd.npz", readings=readings, alarms=alarms + 1)
    for file, says in (
        ("short.npz", "short.npz: readings are 4 by 60 numbers"),
        ("odd.npz", "label overheated: 2 is neither 0 nor 1"),
        ("none.npz", "none.npz does not exist: name the file"),
    ):
        refused = desk.type(f"fedtui task check alarms.py --data {file}")
        assert refused.returncode in {65, 66}
        assert says in refused.stderr
        assert "Traceback" not in refused.stderr


@pytest.mark.loopback
@pytest.mark.timeout(120)
def test_your_own_data_is_followed_word_by_word(desk: Desk) -> None:
    (plan,) = blocks("Your own data", "toml")
    (desk.folder / "plan.toml").write_text(plan)
    (command,) = commands_under("Your own data")
    desk.works(command)
    made = tomllib.loads((desk.folder / "fed/plan.toml").read_text())
    assert made["task"]["options"]["target"] == "outcome"
    manifest = json.loads((desk.folder / "fed/manifest.json").read_text())
    assert manifest, "there is a model of these columns"

    (without,) = re.findall(r"`fedtui-coordinator (init --task) digits`", section("Your own data"))
    refused = desk.type(f"fedtui-coordinator {without} tabular --dir fed2")
    assert refused.returncode == 78
    retyped = command.replace("--dir fed ", f"--dir {desk.folder / 'fed2'} ")
    assert refused.stderr.endswith(f": {retyped}\n")
    assert not (desk.folder / "fed2").exists()
    text = "--option target=outcome --option 'columns={age = 1}'"
    refused = desk.type(f"fedtui-coordinator init --dir fed2 --task tabular {text}")
    assert refused.returncode == 78
    assert "columns is a table, not '{age = 1}'" in refused.stderr


def test_fednova_of_the_documents_takes_the_step_that_the_paper_says(tmp_path: Path) -> None:
    file = tmp_path / "fednova.py"
    file.write_text(python_block(EXTENDING, "FedNova"))
    strategy = build_file(file, None, rate=0.5)
    both = TwoNodes(strategy, steps=(2, 1), examples=(3, 1))
    # Half of the mean length 1.75 along the mean direction 0.75 * 0.375 - 0.25 * 1.5, by hand.
    assert both.round() == 0.5 * 1.75 * -0.09375
