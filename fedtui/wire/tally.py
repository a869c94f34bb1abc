"""Counts of what one session sent and received: by kind of record, payload apart from overhead.

Frames are counted as the websocket carries them, ciphertext included; the 2 to 8 bytes that the
websocket adds to a frame, and TCP, are not. Payload is what a bulk stream carries; the rest of all
frames is overhead.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Direction:
    """Bytes and frames of one direction. Only grows."""

    num_frames: int = 0
    num_payload: int = 0
    num_handshake: int = 0
    num_ctrl: int = 0
    num_data: int = 0
    num_credit: int = 0
    num_error: int = 0

    @property
    def num_bytes(self) -> int:
        """All bytes of all frames."""
        return (
            self.num_handshake + self.num_ctrl + self.num_data + self.num_credit + self.num_error
        )

    @property
    def num_overhead(self) -> int:
        """Bytes that are not payload of a bulk stream."""
        return self.num_bytes - self.num_payload


@dataclass(slots=True)
class Tally:
    """Both directions of one session."""

    sent: Direction = field(default_factory=Direction)
    received: Direction = field(default_factory=Direction)
