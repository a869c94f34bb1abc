"""What this node went along with in masked rounds: written and synced before it is said.

    vote     for one survivor set of one attempt, and never for another one
    reveal   that its shares for that sum are given away
    result   the round's model came: its votes are answered for
    allowed  the operator lets sums on the same model be opened again

An append-only file of lines (node/lines.py), so that no restart makes the node forget. A damaged
line is kept and counted: what it said cannot be known, and a person should look.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

import msgspec

from fedtui.crypto.keys import fingerprint
from fedtui.errors import FedtuiError
from node import lines
from node.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fedtui.rounds import masking_steps
    from fedtui.rounds.claims import Claim

MAX_LOST = 12


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line. `at` is UTC seconds; ids and digests are hex; `context` is ctx3 (U1).

    What follows `num_survivors` is for people: what was claimed of the sum (rounds/claims.py), and
    the fingerprints of those in the roster who are not in it, MAX_LOST of them at most.
    """

    kind: Literal["vote", "reveal", "result", "allowed"]
    at: float
    federation: str = ""
    coordinator: str = ""
    purpose: str = ""
    round: int = 0
    attempt: int = 0
    model: str = ""
    context: str = ""
    survivors: str = ""
    num_survivors: int = 0
    invited: int = 0
    ready: int = 0
    threshold: int = 0
    colluders: int = 0
    num_honest: int = 0
    num_lost: int = 0
    lost: tuple[str, ...] = ()

    @property
    def parties(self) -> tuple[str, str]:
        """With whom: federation and coordinator."""
        return self.federation, self.coordinator

    @property
    def what(self) -> tuple[object, ...]:
        """What it went along with; `at` is no part of it."""
        return (
            self.parties,
            *(self.purpose, self.round, self.attempt),
            *(self.model, self.context, self.survivors),
        )


_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)


class Journal:
    """The open journal of one profile, as one federation and coordinator see it.

    `torn_bytes` and `num_damaged` say what the last run left behind.
    """

    def __init__(
        self,
        path: Path,
        *,
        federation_id: bytes,
        coordinator_id: bytes,
        clock: Callable[[], float],
    ) -> None:
        """Open the file, or make it. Raises OSError."""
        self._clock = clock
        self._federation = federation_id.hex()
        self._coordinator = coordinator_id.hex()
        self._lines = Lines(path)
        self.torn_bytes = self._lines.torn_bytes
        self.num_damaged = 0
        self._votes: dict[tuple[str, int], Entry] = {}  # of this federation, by purpose and round
        self._revealed: set[tuple[object, ...]] = set()
        self._open: list[
            Entry
        ] = []  # votes for updates of which no result came, of any federation
        for entry in entries(path):
            if entry is None:
                self.num_damaged += 1
            else:
                self._remember(entry)

    @property
    def voted(self) -> frozenset[tuple[str, int]]:
        """In which (purpose, round) of this federation and coordinator the node voted."""
        return frozenset(self._votes)

    @property
    def stuck(self) -> dict[bytes, int]:
        """How many votes there were for sums on a model, by digest, without a result after them.

        Those of other federations count too: a coordinator can call itself another one.
        """
        return {bytes.fromhex(m): n for m, n in Counter(e.model for e in self._open).items()}

    def note(self, effect: masking_steps.Journal) -> bool:
        """Write what is about to be said, once; False if it stands there already.

        Raises OSError if it is not on disk, and ConflictError if the node voted otherwise in this
        round: then it must not be said.
        """
        attempt = effect.attempt
        context3, survivors = effect.sets
        entry = Entry(
            kind=effect.step,
            at=self._clock(),
            federation=attempt.federation_id.hex(),
            coordinator=attempt.coordinator_id.hex(),
            purpose=attempt.purpose,
            round=attempt.round,
            attempt=attempt.attempt,
            model=attempt.model_digest.hex(),
            context=context3.hex(),
            survivors=survivors.hex(),
            num_survivors=effect.num_survivors,
            num_lost=len(effect.lost),
            lost=tuple(map(fingerprint, effect.lost[:MAX_LOST])),
            **_told(effect.claim),
        )
        vote = self._votes.get((entry.purpose, entry.round))
        if vote is not None and vote.what != entry.what:
            raise ConflictError(f"it voted for another sum of round {entry.round}")
        known = vote is not None if entry.kind == "vote" else entry.what in self._revealed
        if not known:
            self._append(entry)
        return not known

    def result(self, number: int, model: bytes) -> None:
        """The coordinator committed to this model. Written if a vote waits for it. Raises OSError.

        A result that was heard before names the model of the open votes itself: it ends none.
        """
        entry = Entry(
            kind="result",
            at=self._clock(),
            federation=self._federation,
            coordinator=self._coordinator,
            round=number,
            model=model.hex(),
        )
        if any(_ends(entry, vote) for vote in self._open):
            self._append(entry)

    def allow(self) -> None:
        """The operator allows more sums on the same model. Raises OSError."""
        if self._open:
            self._append(Entry(kind="allowed", at=self._clock()))

    def close(self) -> None:
        self._lines.close()

    def _append(self, entry: Entry) -> None:
        self._lines.append(_ENCODER.encode(entry))
        self._remember(entry)

    def _remember(self, entry: Entry) -> None:
        match entry.kind:
            case "vote":
                if entry.parties == (self._federation, self._coordinator):
                    self._votes[entry.purpose, entry.round] = entry
                if entry.purpose == "update":
                    self._open.append(entry)
            case "reveal":
                self._revealed.add(entry.what)
            case "result":
                self._open = [vote for vote in self._open if not _ends(entry, vote)]
            case "allowed":
                self._open.clear()


class ConflictError(FedtuiError):
    """The node already went along with something else."""


def _told(claim: Claim | None) -> dict[str, int]:
    if claim is None:
        return {}
    return {
        "invited": claim.invited,
        "ready": claim.ready,
        "threshold": claim.threshold,
        "colluders": claim.colluders,
        "num_honest": claim.num_honest,
    }


def _ends(result: Entry, vote: Entry) -> bool:
    return result.parties == vote.parties and result.model != vote.model


def entries(path: Path) -> Iterator[Entry | None]:
    """Every entry, oldest first; None for a line that cannot be read."""
    return lines.read(path, _DECODER)


def votes(path: Path) -> list[Entry]:
    """The votes for sums of updates, oldest first."""
    found = (entry for entry in entries(path) if entry is not None and entry.kind == "vote")
    return [entry for entry in found if entry.purpose == "update"]
