"""How many bytes the encrypted channel makes of a message or a bulk stream.

The frames of fedtui/wire/channel.py, as fedtui/wire/tally.py counts them in real sessions. What a
stream's own opening and closing frames take is left out: some 100 bytes.
"""

from fedtui.crypto.noise import TAG_BYTES
from fedtui.wire.bulk import DATA_HEADER, MAX_DATA_BYTES
from fedtui.wire.channel import (
    CTRL_PADDING_BYTES,
    HEADER_BYTES,
    MAX_BODY_BYTES,
    MAX_CTRL_BODY_BYTES,
)

_FRAME_BYTES = HEADER_BYTES + TAG_BYTES
_SHORT_LENGTH_BYTES = 2
_LONG_LENGTH_BYTES = 4


def control_bytes(num_bytes: int) -> int:
    """Bytes on the wire of a control message of `num_bytes`: padded, in pieces if it is long."""
    if num_bytes <= MAX_CTRL_BODY_BYTES:
        return _padded(HEADER_BYTES + _SHORT_LENGTH_BYTES + num_bytes) + TAG_BYTES
    whole = _padded(_LONG_LENGTH_BYTES + num_bytes)
    return whole + -(-whole // MAX_BODY_BYTES) * _FRAME_BYTES


def bulk_bytes(num_bytes: int) -> int:
    """Bytes on the wire of a bulk stream of `num_bytes`: with headers and tags of its frames."""
    return num_bytes + -(-num_bytes // MAX_DATA_BYTES) * (_FRAME_BYTES + DATA_HEADER.size)


def _padded(size: int) -> int:
    return -(-size // CTRL_PADDING_BYTES) * CTRL_PADDING_BYTES
