"""How a node reaches a coordinator: one address, one websocket, one identity.

Plain HTTP on purpose: the session inside is encrypted and authenticated end to end, whatever
carries it. No cookies, no proxies from the environment, no redirects, no compression.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import struct
from functools import partial

import aiohttp

from fedtui.crypto.keys import Identity
from fedtui.errors import ChannelError, CloseCode
from fedtui.link.live import CLOSING_S, LiveSession
from fedtui.link.sockets import tune
from fedtui.wire.bulk import MAX_TEXT_CHARACTERS
from fedtui.wire.channel import prologue
from fedtui.wire.events import ServerIdentified, SessionEnded, SessionEvent
from fedtui.wire.halves import NodeHello, NodeSession
from fedtui.wire.labels import safe_label
from fedtui.wire.messages import PATH, PROTOCOL_MAX, PROTOCOL_MIN, SUBPROTOCOL
from fedtui.wire.session import SessionStart

DIAL_S = 10.0
NO_CONNECTION = "no connection to "
HEARTBEAT_S = 20.0
MAX_MESSAGE_BYTES = 65536  # aiohttp's limit is exclusive: 65,535 bytes pass
_CODES = {int(code): code for code in CloseCode}


def new_http() -> aiohttp.ClientSession:
    """Return a session to dial with: no cookies, no proxies from the environment, no redirects."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        middlewares=(_refuse_redirects,),
    )


async def dial(
    http: aiohttp.ClientSession, address: str, *, heartbeat_s: float = HEARTBEAT_S
) -> aiohttp.ClientWebSocketResponse:
    """Open the websocket of a coordinator.

    Raises:
        aiohttp.ClientError: it answers, but not as a coordinator.
        OSError: it cannot be reached, or does not answer in time.
        ValueError: that is no address.
    """
    url = address if "://" in address else f"http://{address}"
    async with asyncio.timeout(DIAL_S):
        websocket = await http.ws_connect(
            url.rstrip("/") + PATH,
            protocols=(SUBPROTOCOL,),
            compress=0,
            max_msg_size=MAX_MESSAGE_BYTES,
            heartbeat=heartbeat_s,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSING_S),
        )
    tune(websocket.get_extra_info("socket"))
    return websocket


def session_start(
    identity: Identity,
    websocket: aiohttp.ClientWebSocketResponse,
    *,
    versions: tuple[int, int] = (PROTOCOL_MIN, PROTOCOL_MAX),
) -> SessionStart:
    """Return what a node's half of a session on this websocket begins with."""
    return SessionStart(
        identity=identity,
        ephemeral_secret=secrets.token_bytes(32),
        prologue=prologue(PATH, (SUBPROTOCOL,), websocket.protocol or ""),
        now=asyncio.get_running_loop().time(),
        versions=versions,
    )


async def identify(identity: Identity, address: str) -> ServerIdentified:
    """Ask who the coordinator at `address` is, telling it nothing about us.

    For the question "do you trust this fingerprint?". There is no hurry to answer it, since this
    connection is closed; dial again with the id pinned.

    Raises:
        aiohttp.ClientError, OSError, ValueError: see `dial`.
        ChannelError: what answers there is no coordinator that we could talk to; its code says
            why, such as 4004 for another version.
    """
    found: list[ServerIdentified] = []
    async with new_http() as http:
        websocket = await dial(http, address)
        session = NodeSession(
            session_start(identity, websocket),
            hello=NodeHello(label="", role="observer"),
            coordinator_id=None,
            trust_on_first_use=True,
        )
        live = LiveSession(session, websocket, abort=partial(shut, websocket))

        def on_event(event: SessionEvent) -> None:
            if isinstance(event, ServerIdentified):
                found.append(event)
                session.stop()

        try:
            async with asyncio.timeout(DIAL_S):
                ended = await live.run(on_event)
        finally:
            await websocket.close()
    if not found:
        raise ChannelError(ended.text, code=_CODES.get(ended.code))
    return found[0]


def shut(websocket: aiohttp.ClientWebSocketResponse) -> None:
    """Drop the connection without waiting for anything."""
    connection = websocket.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def cut(websocket: aiohttp.ClientWebSocketResponse) -> None:
    """Drop the connection, and what the system has taken of us but not delivered yet.

    A socket that lingers for no time is reset when it is closed: its queue is thrown away, also
    where nobody acknowledges anything and a later packet would bring it through.
    """
    connection = websocket.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    shut(websocket)


async def _refuse_redirects(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    response = await handler(request)
    if 300 <= response.status < 400:
        response.close()
        raise aiohttp.ClientError("it redirects elsewhere, which no coordinator does")
    return response


def _of_system(error: OSError) -> str:
    """What the operating system says, without the address that was said already."""
    own = not isinstance(error, socket.gaierror) and (error.errno or 0) > 0
    text = os.strerror(error.errno or 0) if own else error.strerror or str(error)
    return text[:1].lower() + text[1:]


def not_reached(address: str, error: Exception) -> SessionEnded:
    """Return why `dial` failed, as the end of a session that never was."""
    if isinstance(error, TimeoutError):
        reason = f"no answer within {DIAL_S:.0f} s"
    elif isinstance(error, aiohttp.WSServerHandshakeError):
        reason = f"what answers there is no coordinator (HTTP status {error.status})"
    elif isinstance(error, aiohttp.ClientConnectorError):
        reason = _of_system(error.os_error)
    else:
        reason = str(error) or type(error).__name__
    text = safe_label(f"{NO_CONNECTION}{address}: {reason}", MAX_TEXT_CHARACTERS)
    return SessionEnded(int(CloseCode.BYE), text, authentic=False)
