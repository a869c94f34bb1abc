"""Control messages that outgrow one CTRL record travel as PART records, in order, before any bulk.

    the message as length u32 | bytes | zeros to a multiple of 256, cut into pieces
    PART record: flags 1 on the last piece, 0 on the others; body: the piece

The roster of a masked round is such a message, from about forty nodes on. Pieces keep the order of
the conversation, which a bulk stream beside it would not, and cost no round trip. The receiver
knows the length from the first piece, refuses one beyond its limit before it keeps anything, and
holds one message at a time.
"""

from fedtui.errors import CloseCode, RemoteProtocolError
from fedtui.wire.channel import CTRL_PADDING_BYTES, MAX_BODY_BYTES

LAST = 1
MAX_FROM_COORDINATOR_BYTES = 4 * 2**20
MAX_FROM_NODE_BYTES = 256 * 1024
_LENGTH_BYTES = 4


def split(data: bytes) -> list[bytes]:
    """The pieces of an encoded message."""
    padding = -(_LENGTH_BYTES + len(data)) % CTRL_PADDING_BYTES
    whole = len(data).to_bytes(_LENGTH_BYTES, "little") + data + bytes(padding)
    return [whole[i : i + MAX_BODY_BYTES] for i in range(0, len(whole), MAX_BODY_BYTES)]


class Joining:
    """Puts the pieces of one side's messages together."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pieces = bytearray()

    def take(self, piece: bytes, flags: int) -> bytes | None:
        """The message, once its last piece is here.

        Raises:
            RemoteProtocolError: too long (4006), or not what `split` makes (4005).
        """
        self._pieces += piece
        size = int.from_bytes(self._pieces[:_LENGTH_BYTES], "little")
        end = _LENGTH_BYTES + size
        whole = end + -end % CTRL_PADDING_BYTES
        if size > self._max_bytes or len(self._pieces) > whole:
            raise RemoteProtocolError(
                f"a message in pieces has more than {min(size, self._max_bytes)} bytes",
                code=CloseCode.LIMIT,
            )
        if flags != LAST:
            if len(piece) != MAX_BODY_BYTES:
                raise RemoteProtocolError("a message is cut into pieces of other sizes")
            return None
        if len(self._pieces) != whole or any(self._pieces[end:]):
            raise RemoteProtocolError("a message in pieces is cut short, or padded wrongly")
        data = bytes(self._pieces[_LENGTH_BYTES:end])
        self._pieces.clear()
        return data
