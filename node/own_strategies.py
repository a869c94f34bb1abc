"""Strategies that are files of a coordinator's operator: kept in the profile, by name.

A plan names such a file by its hash; it comes from a person whom the node's operator trusts, and
runs both in the trainer and in the daemon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedtui import plugins
from node import tasks
from node.exits import Exit, Stop
from node.paths import private_folder, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from node.paths import Profile

KIND = "strategies"


def add(home: Profile, file: Path) -> str:
    """Keep a strategy's file, and return its hash; what was here stays if this one is none.

    Raises:
        Stop: it is no Python file, does not run, or has the name of one of fedtui's own.
        OSError: it cannot be read or kept.
    """
    source = tasks.read(file, "strategy")
    folder = home.plugins / KIND
    private_folder(folder)
    kept = folder / file.name
    before = kept.read_bytes() if kept.exists() else None
    write_atomically(kept, source)
    plugins.forget_own()
    try:
        plugins.builder(KIND, file.stem)
        return plugins.own_hash(KIND, file.stem)
    except plugins.PluginError as error:
        kept.unlink()
        if before is not None:
            write_atomically(kept, before)
        raise Stop(
            str(error).replace(str(kept), str(file)),
            remedy="see docs/extending.md, 'A strategy'",
            exit_code=Exit.BAD_DATA,
        ) from error
