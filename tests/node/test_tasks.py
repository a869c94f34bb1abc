"""The operator's own task: pinned by its hash, and never another file."""

from hashlib import sha256
from pathlib import Path

import pytest

from fedtui.rounds.plan import TaskSection
from fedtui.status import Refused
from node import config as configs
from node import tasks
from node.paths import Profile

SOURCE = b"build = object\n"


def test_a_task_is_copied_and_pinned(home: Profile, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_bytes(SOURCE)
    digest = tasks.add(home, file)
    assert digest == sha256(SOURCE).hexdigest()
    assert configs.load(home.config).task.sha256 == digest
    file.write_bytes(b"something else\n")
    assert (home.tasks / f"{digest}.py").read_bytes() == SOURCE
    assert tasks.add(home, file) != digest
    assert (home.tasks / f"{digest}.py").exists()


@pytest.mark.parametrize(("name", "content"), [("mine.txt", b""), ("mine.py", b"#" * 2**21)])
def test_what_is_no_task_is_refused(
    home: Profile, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Refused):
        tasks.add(home, tmp_path / name)
    assert list(home.tasks.iterdir()) == []


def test_a_missing_file_is_the_systems_error(home: Profile, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tasks.add(home, tmp_path / "none.py")


def test_what_a_task_is_about_is_read_and_not_run(home: Profile) -> None:
    digits = tasks.about(TaskSection(name="digits"), home.tasks)
    assert digits.startswith("Handwritten digits: the 1,797 real 8x8 images")
    own = b'"""Ages of trees,\x1b[2J\nby their rings.\n\nMore."""\nraise SystemExit\n'
    digest = sha256(own).hexdigest()
    (home.tasks / f"{digest}.py").write_bytes(own)
    task = TaskSection(name="trees", sha256=digest, options={"columns": {"age": "number:1:1"}})
    said = tasks.about(task, home.tasks)
    assert said.startswith("Ages of trees,")
    assert said.endswith("by their rings.; columns age")
    assert "\x1b" not in said
    assert tasks.about(TaskSection(name="none", sha256="ab" * 32), home.tasks) == ""
