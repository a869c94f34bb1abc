"""The operator's own task files: copied into the profile, named by their hash, never changed.

A coordinator can only name a task by its hash; the code comes from a person whom the operator
trusts, and runs in the trainer process alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fedtui.plugins import MAX_FILE_BYTES, file_hash
from node import config as configs
from node.exits import Exit, Stop
from node.paths import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from node.paths import Profile


def add(home: Profile, file: Path) -> str:
    """Keep a task file and name it in node.toml; return its hash. Raises Stop or OSError."""
    source = read(file)
    digest = file_hash(source)
    write_atomically(home.tasks / f"{digest}.py", source)
    config = configs.load(home.config)
    table = msgspec.structs.replace(config.task, file=str(file.absolute()), sha256=digest)
    configs.save(home.config, msgspec.structs.replace(config, task=table))
    return digest


def read(file: Path) -> bytes:
    """The file's bytes. Raises Stop if it is not a Python file of sensible size."""
    source = file.read_bytes()
    if file.suffix != ".py" or len(source) > MAX_FILE_BYTES:
        raise Stop(
            f"{file} is not a task: a Python file of at most {MAX_FILE_BYTES} bytes is",
            remedy="see docs/extending.md",
            exit_code=Exit.BAD_DATA,
        )
    return source
