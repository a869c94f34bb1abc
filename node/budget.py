"""What a node spent of its privacy, on disk: each release under [dp], synced before it leaves.

A sum can be opened once the update of this node is in it, whether or not the node is there to vote
for it. So what counts is that an update left: one line for each attempt of a round, before the
first byte. The same attempt after a crash counts once; another attempt of the round has fresh
noise and counts again, also where the first came to nothing: the node cannot know what was opened.

The file is the profile's (node/lines.py): it survives restarts, and leaving and joining again. A
damaged line is no reason to forget: the node refuses to go on.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import msgspec

from fedtui.errors import FedtuiError
from fedtui.privacy.spending import Release
from node import lines
from node.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line: an update of this attempt may have left, with noise of so many clips around it."""

    at: float
    federation: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
    round: Annotated[int, msgspec.Meta(ge=1)]
    attempt: Annotated[int, msgspec.Meta(ge=1)]
    noise: Annotated[float, msgspec.Meta(gt=0, le=1e6)]

    @property
    def key(self) -> tuple[str, int, int]:
        return self.federation, self.round, self.attempt


REMEDY = (
    "put the file back from a backup; without one, move it away only if you accept that all that "
    "was spent until now is forgotten; then: fedtui join"
)

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Entry | None] = msgspec.json.Decoder(Entry)


class Budget:
    """The open file of one profile, as one federation spends it."""

    def __init__(self, path: Path, *, federation_id: bytes, clock: Callable[[], float]) -> None:
        """Open the file, or make it.

        Raises:
            OSError: it cannot be read or made.
            BudgetError: a line cannot be read.
        """
        self._clock = clock
        self._federation = federation_id.hex()
        self._lines = Lines(path)
        self._spent: dict[tuple[str, int, int], float] = {}
        for number, entry in enumerate(lines.read(path, _DECODER), 1):
            if entry is None:
                self._lines.close()
                raise BudgetError(
                    f"{path}, line {number}: what was spent of this node's privacy cannot be read"
                )
            if entry.federation == self._federation:
                self._spent[entry.key] = entry.noise

    @property
    def releases(self) -> tuple[Release, ...]:
        """What was spent in this federation."""
        counts = Counter(self._spent.values())
        return tuple(Release(noise, count) for noise, count in sorted(counts.items()))

    def spend(self, number: int, attempt: int, noise: float) -> bool:
        """Write down that this attempt's update may leave; False if it stands there already.

        Raises OSError: it is not on disk, and then nothing may leave.
        """
        entry = Entry(
            at=self._clock(),
            federation=self._federation,
            round=number,
            attempt=attempt,
            noise=noise,
        )
        if entry.key in self._spent:
            return False
        self._lines.append(_ENCODER.encode(entry))
        self._spent[entry.key] = noise
        return True

    def close(self) -> None:
        self._lines.close()


class BudgetError(FedtuiError):
    """Nobody knows what was spent, so nothing more is."""
