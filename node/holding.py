"""What this node holds for its strategy from round to round: it never leaves this machine.

    work/held/FEDERATION/round-00000012.safetensors          after a round that counted it
    work/held/FEDERATION/round-00000013.safetensors.pending  after training, until it counts

The trainer writes the second, synced, before the update may leave. It becomes the first just
before the update's last byte goes out: from then on the coordinator may have it, whether or not
its receipt ever gets here. It becomes the second again if the coordinator refuses the update,
gives the attempt up, or says that the round went without it. So a round that is tried again begins
with what was held before it, and training that never counted leaves no trace here, as it left none
in the global model.
What cannot be known is the fate of an update whose last byte was lost on the way while this node
was away until its round was over: it is taken for counted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from node.paths import sync_folder

if TYPE_CHECKING:
    from pathlib import Path

_NAME = re.compile(r"^round-(\d{8})\.safetensors$")
_PENDING = ".pending"
_KEPT = 2  # so that a round can be tried again after it counted


class Holding:
    """The files of all federations that this profile was ever in; few, as it is in one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, federation: str, number: int) -> tuple[Path | None, Path]:
        """What was held before this round (None: nothing), and where what comes now belongs.

        What never counted goes, and so does what is of this round or later ones: the coordinator
        has begun them anew. Raises OSError.
        """
        home = self._home(federation)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        earlier: dict[int, Path] = {}
        for path in home.iterdir():
            found = _NAME.match(path.name)
            if found and int(found[1]) < number:
                earlier[int(found[1])] = path
            else:
                path.unlink()
        before = earlier[max(earlier)] if earlier else None
        return before, home / f"{_file(number)}{_PENDING}"

    def after(self, federation: str, number: int) -> Path | None:
        """What is held after this round, by what counted; None: nothing. Raises OSError."""
        found = [
            path
            for path in self._home(federation).glob("round-*.safetensors")
            if path.name <= _file(number)
        ]
        return max(found, default=None)

    def _home(self, federation: str) -> Path:
        return self._folder / (federation[:16] or "nobody")

    def settled(self, federation: str, number: int, *, counted: bool) -> None:
        """The update of this round counts, as far as is known, or it does not. Raises OSError."""
        for one in self._home(federation).glob(f"{_file(number)}*"):
            name = _file(number) if counted else f"{_file(number)}{_PENDING}"
            if one.name != name:
                one.replace(one.with_name(name))
                sync_folder(one.parent)
            if counted:
                for old in sorted(one.parent.glob("round-*.safetensors"))[:-_KEPT]:
                    old.unlink()


def _file(number: int) -> str:
    return f"round-{number:08}.safetensors"
