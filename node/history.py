"""How this node's last rounds came out, on its disk: JSON lines, at most some hundreds.

A round is written when it is over, and once more when something is learned of it (its score): the
newest line of a round counts. Nothing here is proof of anything (that is the ledger), so lines are
not synced, and a damaged one is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fedtui.status import PastRound
from node import lines
from node.lines import Lines
from node.paths import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

KEPT = 500


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line; `federation` is its id in hex."""

    federation: str
    past: PastRound


_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)


class History:
    """The open file; one daemon writes it. The newest `limit` rounds are kept."""

    def __init__(self, path: Path, *, limit: int = KEPT) -> None:
        """Open the file, or make it. Raises OSError."""
        self._path = path
        self._limit = limit
        self._lines = Lines(path, synced=False)
        self._num_lines = sum(1 for _ in lines.read(path, _DECODER))
        self._tidy()

    def keep(self, federation: str, past: PastRound) -> None:
        """Write how a round came out, or what was learned of it. Raises OSError."""
        self._lines.append(_ENCODER.encode(Entry(federation=federation, past=past)))
        self._num_lines += 1
        self._tidy()

    def close(self) -> None:
        self._lines.close()

    def _tidy(self) -> None:
        """Write the file anew when most of its lines are of no use any more."""
        if self._num_lines <= 4 * self._limit:
            return
        kept = _entries(self._path)[-self._limit :]
        self._lines.close()
        text = b"".join(_ENCODER.encode(entry) + b"\n" for entry in kept)
        write_atomically(self._path, text, durable=False)
        self._lines = Lines(self._path, synced=False)
        self._num_lines = len(kept)


def rounds(path: Path, limit: int, *, federation: str | None = None) -> tuple[PastRound, ...]:
    """The newest `limit` rounds, oldest first; of any federation, or of this one.

    None of a file that cannot be read: whoever opens it to write says so.
    """
    try:
        entries = _entries(path)
    except OSError:
        return ()
    found = [
        entry.past for entry in entries if federation is None or entry.federation == federation
    ]
    return tuple(found[-limit:]) if limit > 0 else ()


def _entries(path: Path) -> list[Entry]:
    """Every round once, as it was written last, in that order."""
    found: dict[tuple[str, int, int], Entry] = {}
    for entry in lines.read(path, _DECODER):
        if entry is not None:
            key = (entry.federation, entry.past.number, entry.past.attempt)
            found.pop(key, None)
            found[key] = entry
    return list(found.values())
