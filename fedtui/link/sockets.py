"""Options of a TCP socket that carries a session.

Without a bound on unsent bytes in the kernel, a control message waits behind megabytes of a bulk
stream. Without TCP_USER_TIMEOUT, a sender blocked in a dead connection stays blocked for minutes.
"""

import socket
from typing import Protocol

NOT_SENT_BYTES = 131072
USER_TIMEOUT_MS = 30000


class HasOptions(Protocol):
    """A socket, or what asyncio shows of one."""

    def setsockopt(self, level: int, option: int, value: int, /) -> object: ...


def tune(connection: HasOptions | None) -> None:
    """Set what exists here; a connection that is gone already is left alone."""
    if connection is None:
        return
    for option, value in (
        ("TCP_NODELAY", 1),
        ("TCP_NOTSENT_LOWAT", NOT_SENT_BYTES),
        ("TCP_USER_TIMEOUT", USER_TIMEOUT_MS),
    ):
        number = getattr(socket, option, None)
        if number is not None:
            try:
                connection.setsockopt(socket.IPPROTO_TCP, number, value)
            except OSError:
                return
