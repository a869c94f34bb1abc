"""Which nodes were in a roster of this federation before: that a new one is there is news.

A coordinator that enrols nodes of its own can undo masks; the list of those that were there before
is what its operator notices it by. One small file; lost, every node is new once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from node.paths import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MAX_KNOWN = 20_000
MAX_FEDERATIONS = 8


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """All of peers.json: ids in hex by federation, the newest last."""

    federations: dict[str, list[str]] = {}


class Peers:
    """The file, as it was read when it was first asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: dict[str, dict[str, None]] | None = None

    def met(self, federation: bytes, ids: Iterable[bytes]) -> frozenset[bytes]:
        """Remember these nodes; return those that were in no roster of the federation before.

        Raises OSError if they cannot be written down; they are remembered while this runs.
        """
        everything = self._read()
        known = everything.pop(federation.hex(), {})
        everything[federation.hex()] = known
        new = frozenset(one for one in ids if one.hex() not in known)
        if new:
            known.update(dict.fromkeys(sorted(one.hex() for one in new)))
            self._write(everything)
        return new

    def knows(self, federation: bytes) -> bool:
        """Whether any roster of this federation was seen before."""
        return bool(self._read().get(federation.hex()))

    def _read(self) -> dict[str, dict[str, None]]:
        if self._kept is None:
            try:
                found = msgspec.json.decode(self._path.read_bytes(), type=_Kept)
            except (OSError, msgspec.DecodeError, ValueError):
                found = _Kept()
            self._kept = {name: dict.fromkeys(ids) for name, ids in found.federations.items()}
        return self._kept

    def _write(self, everything: dict[str, dict[str, None]]) -> None:
        while len(everything) > MAX_FEDERATIONS:
            del everything[next(iter(everything))]
        for known in everything.values():
            while len(known) > MAX_KNOWN:
                del known[next(iter(known))]
        kept = _Kept(federations={name: list(ids) for name, ids in everything.items()})
        write_atomically(self._path, msgspec.json.encode(kept), durable=False)
