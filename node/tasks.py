"""The operator's own task files: copied into the profile, named by their hash, never changed.

A coordinator can only name a task by its hash; the code comes from a person whom the operator
trusts, and runs in the trainer process alone.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import fedtui
from fedtui.plugins import MAX_FILE_BYTES, file_hash
from fedtui.wire.labels import safe_label
from node import config as configs
from node.exits import Exit, Stop
from node.paths import write_atomically

if TYPE_CHECKING:
    from fedtui.rounds.plan import TaskSection
    from node.paths import Profile

_MAX_ABOUT = 200


def add(home: Profile, file: Path) -> str:
    """Keep a task file and name it in node.toml; return its hash. Raises Stop or OSError."""
    source = read(file)
    digest = file_hash(source)
    write_atomically(home.tasks / f"{digest}.py", source)
    config = configs.load(home.config)
    table = msgspec.structs.replace(config.task, file=str(file.absolute()), sha256=digest)
    configs.save(home.config, msgspec.structs.replace(config, task=table))
    return digest


def read(file: Path, what: str = "task") -> bytes:
    """The file's bytes. Raises Stop if it is not a Python file of sensible size."""
    source = file.read_bytes()
    if file.suffix != ".py" or len(source) > MAX_FILE_BYTES:
        raise Stop(
            f"{file} is no {what}: a Python file of at most {MAX_FILE_BYTES} bytes is",
            remedy="see docs/extending.md",
            exit_code=Exit.BAD_DATA,
        )
    return source


def about(task: TaskSection, folder: Path) -> str:
    """What the task needs, in the first sentence of its file's docstring; no line of it runs.

    The names of a table's columns come from the plan. "" if the file is not here.
    """
    known = Path(fedtui.__file__).parent / "tasks" / f"{task.name}.py"
    file = folder / f"{task.sha256}.py" if task.sha256 else known
    try:
        said = ast.get_docstring(ast.parse(file.read_bytes())) or ""
    except (OSError, SyntaxError, ValueError):
        said = ""
    first = " ".join(said.partition("\n\n")[0].split())
    columns = task.options.get("columns")
    names = f"; columns {', '.join(columns)}" if isinstance(columns, dict) else ""
    return safe_label(f"{first}{names}", _MAX_ABOUT)
