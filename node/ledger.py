"""What left this machine: one line of JSON an entry, synced before the bytes of the entry leave.

A file of lines and not a database, because the operator should be able to read the proof with any
tool, and because an append and an fdatasync are all that is asked of it (node/lines.py). A torn
last line is cut off at the next start and said: what it announced cannot have left. A damaged line
in the middle is kept and counted.

Entries of kind `left` say what goes to the coordinator; `head` entries keep the signed heads of
the coordinator's audit chain, so that it cannot rewrite its history unnoticed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from fedtui.crypto.keys import fingerprint
from fedtui.status import LedgerLine, MaskedSum
from node import lines
from node.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from node import journal

DAY_S = 86_400.0


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line. `at` is UTC seconds; `digest`, `hash` and `signature` are hex."""

    kind: Literal["left", "head"] = "left"
    at: float
    round: int = 0
    attempt: int = 0
    what: str = ""
    form: str = ""
    num_bytes: int = 0
    digest: str = ""
    receiver: str = ""
    sequence: int = 0
    hash: str = ""
    signature: str = ""

    def line(self) -> LedgerLine:
        """As screens show it."""
        return LedgerLine(
            at=self.at,
            round=self.round,
            attempt=self.attempt,
            what=self.what,
            num_bytes=self.num_bytes,
            form=self.form,
            receiver=self.receiver,
            digest=self.digest,
        )


@dataclass(frozen=True, slots=True)
class Extract:
    """The newest entries, oldest first; `num_entries` and `num_bytes` are of all that left."""

    entries: tuple[Entry, ...]
    num_entries: int
    num_bytes: int


_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)


class Ledger:
    """The open ledger of one profile. One daemon writes it; anybody of the operator's may read it.

    `torn_bytes` and `num_damaged` say what the last run left behind.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = Lines(path)
        self.torn_bytes = self._lines.torn_bytes
        self.num_damaged = 0
        self._per_day: dict[int, int] = {}
        self._last_head = 0
        for entry in entries(path):
            if entry is None:
                self.num_damaged += 1
            else:
                self._remember(entry)

    def append(self, entry: Entry) -> None:
        """Write and sync. Raises OSError if it is not on disk; then nothing of it may leave."""
        self._lines.append(_ENCODER.encode(entry))
        self._remember(entry)

    def keep_head(self, entry: Entry) -> None:
        """Keep a signed head of the audit chain if it is newer than the last one."""
        if entry.sequence > self._last_head:
            self.append(entry)

    def num_bytes_on(self, at: float) -> int:
        """Bytes that entries of the same UTC day announced."""
        return self._per_day.get(int(at // DAY_S), 0)

    def tail(self, limit: int) -> tuple[Entry, ...]:
        """The newest entries about what left, oldest first."""
        return tail(self._path, limit)

    def close(self) -> None:
        self._lines.close()

    def _remember(self, entry: Entry) -> None:
        if entry.kind == "head":
            self._last_head = max(self._last_head, entry.sequence)
            return
        day = int(entry.at // DAY_S)
        self._per_day[day] = self._per_day.get(day, 0) + entry.num_bytes


def entries(path: Path) -> Iterator[Entry | None]:
    """Every entry, oldest first; None for a line that cannot be read."""
    return lines.read(path, _DECODER)


def with_sums(found: Sequence[Entry], votes: Sequence[journal.Entry]) -> tuple[LedgerLine, ...]:
    """The entries as lines, each update with the sum that this node voted for after it left."""
    by_attempt: dict[tuple[str, int, int], list[journal.Entry]] = {}
    for vote in votes:
        receiver = fingerprint(bytes.fromhex(vote.coordinator))
        by_attempt.setdefault((receiver, vote.round, vote.attempt), []).append(vote)
    return tuple(_with_sum(e.line(), e.what.startswith("update"), by_attempt) for e in found)


def _with_sum(
    line: LedgerLine,
    is_update: bool,
    by_attempt: Mapping[tuple[str, int, int], Sequence[journal.Entry]],
) -> LedgerLine:
    same = by_attempt.get((line.receiver, line.round, line.attempt), ()) if is_update else ()
    vote = next((one for one in same if one.at >= line.at), None)
    if vote is None or not vote.ready:  # not voted, or noted before this was kept
        return line
    found = MaskedSum(
        num_nodes=vote.num_survivors,
        cohort=vote.invited,
        ready=vote.ready,
        threshold=vote.threshold,
        colluders=vote.colluders,
        num_honest=vote.num_honest,
        num_lost=vote.num_lost,
        lost=vote.lost,
    )
    return msgspec.structs.replace(line, sum=found)


def tail(path: Path, limit: int) -> tuple[Entry, ...]:
    """The newest `limit` readable entries about what left, oldest first."""
    return extract(path, limit).entries


def extract(path: Path, limit: int) -> Extract:
    """The newest entries about what left, and how much left in all."""
    newest: deque[Entry] = deque(maxlen=limit)
    num_entries = num_bytes = 0
    for entry in entries(path):
        if entry is not None and entry.kind == "left":
            newest.append(entry)
            num_entries += 1
            num_bytes += entry.num_bytes
    return Extract(tuple(newest), num_entries=num_entries, num_bytes=num_bytes)
