"""Bulk streams of one session: exact sizes, contiguous offsets, credit, resume.

A stream carries `num_bytes` bytes of one file in DATA records: `stream u32, offset u64, bytes`,
little-endian. The receiver says from where (`Accept.offset`) and how many bytes may be under way
(`Accept.window`); CREDIT records (`stream u32, offset u64, add u32`) extend that as bytes reach
the sink. A sender waits until a full record or the rest of the stream fits into its credit, so
small records appear only at the end; since a window holds at least one record and is topped up
when half of it is used, neither side ever waits for the other.

Nothing is queued here: the next record is read from its source when the writer asks for it, and
written to its sink while it is received. Streams that have credit take turns.

Numbers are chosen by the side that opens; they rise within a session and start at a random place,
so that a late call about a stream of a broken session meets nothing. Anything about a stream that
existed and is over is ignored; anything about one that never was ends the session (4005).

    sender              OFFERED --Accept--> FLOWING --all sent--> WAITING --Receipt--> over
    receiver            OFFERED --accept()--> FLOWING --all here--> COMPLETE --receipt()--> over
    receiver, refuse()  OFFERED --> over          FLOWING --> STOPPING --Cancel--> over
"""

import struct
from collections.abc import Callable
from typing import Protocol

from fedtui.wire.channel import MAX_BODY_BYTES
from fedtui.wire.events import BulkEvent
from fedtui.wire.messages import BulkMessage


class Source(Protocol):
    """What a stream is read from. If `read` raises OSError, the stream fails, nothing else."""

    @property
    def num_bytes(self) -> int:
        """Size of the whole file."""
        ...

    def read(self, offset: int, size: int) -> bytes | memoryview:
        """Return exactly `size` bytes from `offset`; must not block for long."""
        ...


class Sink(Protocol):
    """Where a stream goes. If `write` raises OSError, the stream fails, nothing else."""

    def write(self, data: memoryview, /) -> object:
        """Append all of `data`; it is valid during the call only."""
        ...


DATA_HEADER = struct.Struct("<IQ")
CREDIT_BODY = struct.Struct("<IQI")
MAX_DATA_BYTES = MAX_BODY_BYTES - DATA_HEADER.size
"""What one DATA record carries at most: 65,505 bytes."""

MIN_WINDOW_BYTES = 65_536
MAX_WINDOW_BYTES = 2**26
WINDOW_BYTES = 2**20
MAX_STREAMS = 32
"""Streams that either side may have under way in one session."""

MAX_TEXT_CHARACTERS = 200
_MAX_TEXT_BYTES = 250

Say = Callable[[BulkMessage], None]
Tell = Callable[[BulkEvent], None]


def shorten(text: str) -> str:
    """Cut a text of ours to what a message may carry: 200 characters, and the codec's bytes."""
    return (
        text[:MAX_TEXT_CHARACTERS]
        .encode(errors="replace")[:_MAX_TEXT_BYTES]
        .decode(errors="ignore")
    )
