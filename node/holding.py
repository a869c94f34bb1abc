"""What this node holds for its strategy from round to round: it never leaves this machine.

    work/held/FEDERATION/round-00000012.safetensors          after a round that counted it
    work/held/FEDERATION/round-00000013.safetensors.pending  after training, until it counts

The trainer writes the second, synced, before the update may leave; the coordinator's receipt makes
it the first. So a round that is tried again begins with what was held before it, and training that
never counted leaves no trace here, as it left none in the global model. Of the last two rounds
that counted a file is kept: the next to train is never the one of the last file's own round.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from node.paths import sync_folder

if TYPE_CHECKING:
    from pathlib import Path

_NAME = re.compile(r"^round-(\d{8})\.safetensors$")
_KEPT = 2


class Holding:
    """The files of all federations that this profile was ever in; few, as it is in one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, federation: str, number: int) -> tuple[Path | None, Path]:
        """What was held before this round (None: nothing), and where what comes now belongs.

        What never counted goes, and so does what is of this round or later ones: the coordinator
        has begun them anew. Raises OSError.
        """
        home = self._folder / (federation[:16] or "nobody")
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        earlier: dict[int, Path] = {}
        for path in home.iterdir():
            found = _NAME.match(path.name)
            if found and int(found[1]) < number:
                earlier[int(found[1])] = path
            else:
                path.unlink()
        before = earlier[max(earlier)] if earlier else None
        return before, home / f"round-{number:08}.safetensors.pending"

    def confirm(self) -> None:
        """The update counts, so what was held with it does. Raises OSError."""
        for pending in self._folder.glob("*/*.pending"):
            pending.replace(pending.with_suffix(""))
            counted = sorted(pending.parent.glob("round-*.safetensors"))
            for old in counted[:-_KEPT]:
                old.unlink()
            sync_folder(pending.parent)
