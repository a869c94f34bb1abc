"""The nodes' websocket: accepts, identifies, asks the gate, and runs one session per node.

    accept -> guard -> HTTP upgrade -> handshake -> gate.admit -> Welcome -> gate.opened
           -> gate.event ... -> gate.closed

The server knows nothing of rosters and rounds. Who may come in, and what then happens, the gate
decides: coordinator/service.py. Of two sessions of one identity the newer one wins (4007 for the
older), at most once a second; faster than that the newer one is sent away (4010), so that two
copies of a key cannot keep the coordinator busy with each other.
"""

import asyncio
import contextlib
import errno
import resource
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, Protocol

from aiohttp import hdrs, web

from coordinator.guard import Guard, GuardedHandler, GuardSettings
from fedtui.crypto.keys import Identity, PublicIdentity
from fedtui.errors import CloseCode, ExitCode, OperatorError
from fedtui.link.live import CLOSING_S, LiveSession
from fedtui.link.sockets import tune
from fedtui.wire.channel import prologue
from fedtui.wire.events import ClientIdentified, SessionEvent
from fedtui.wire.halves import Admission, CoordinatorSession
from fedtui.wire.messages import PATH, PROTOCOL_MAX, PROTOCOL_MIN, SUBPROTOCOL, ClientHello, Role
from fedtui.wire.rotation import Succession
from fedtui.wire.session import SessionStart

BACKLOG = 1024
MAX_MESSAGE_BYTES = 65536  # aiohttp's limit is exclusive: 65,535 bytes pass
WRITER_LIMIT_BYTES = 65536
SUPERSEDE_EVERY_S = 1.0
MIN_DESCRIPTORS = 256


class BindError(OperatorError):
    """The server cannot listen where it was told to; one sentence says why and what to do."""

    exit_code: ClassVar[ExitCode] = ExitCode.UNAVAILABLE


class BindDeniedError(BindError):
    """Listening there needs a permission that this process has not."""

    exit_code: ClassVar[ExitCode] = ExitCode.NO_PERMISSION


class Rejected(Exception):  # noqa: N818 - a verdict on a node, not an error of ours
    """Raised by `Gate.admit`: this node does not come in. It is told all of this, encrypted."""

    def __init__(
        self, code: CloseCode, text: str, *, retryable: bool = False, retry_after_s: float = 0.0
    ) -> None:
        """Take the code and a text of at most 200 characters for the node's operator."""
        super().__init__(text)
        self.code = code
        self.text = text
        self.retryable = retryable
        self.retry_after_s = retry_after_s


class NodeLink(LiveSession[CoordinatorSession]):
    """The session of one admitted node; see LiveSession for what can be said on it."""

    identity: PublicIdentity
    hello: ClientHello
    address: str
    admission: Admission
    superseded_by: "NodeLink | None" = None
    on_refused: Callable[[CloseCode, str], None] | None = None

    def refuse(self, stream: int, code: CloseCode, *, text: str) -> bool:
        """As in LiveSession; whoever refuses, `on_refused` hears why."""
        if self.on_refused is not None:
            self.on_refused(code, text)
        return super().refuse(stream, code, text=text)

    @property
    def node_id(self) -> bytes:
        """The id that the handshake proved."""
        return self.identity.id

    @property
    def role(self) -> Role:
        """The role that the gate gave the node."""
        return self.admission.role

    @property
    def ready(self) -> bool:
        """Whether the node has consented to the plan: work may be sent."""
        return self.session.ready_for_work


class Gate(Protocol):
    """What the coordinator's service answers. All but `admit` must return at once."""

    async def admit(self, identity: PublicIdentity, hello: ClientHello, address: str) -> Admission:
        """Decide about a node whose identity is proven; burn its invite if it needs one.

        Raises:
            Rejected: it does not come in.
        """
        ...

    def opened(self, link: NodeLink) -> None:
        """Take note of the node's session; work waits for the event Readied."""
        ...

    def event(self, link: NodeLink, event: SessionEvent) -> None:
        """Hear what happened on the session, in order."""
        ...

    def closed(self, link: NodeLink, code: int, text: str) -> None:
        """Hear that the session is over. Said once for each `opened`, nothing comes after it.

        If a newer session of the same identity took over, it is `link.superseded_by`.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """What the server says of itself, and its limits."""

    federation: str
    incarnation: int
    heartbeat_s: float = 20.0
    versions: tuple[int, int] = (PROTOCOL_MIN, PROTOCOL_MAX)
    guard: GuardSettings = field(default_factory=GuardSettings)
    successions: tuple[Succession, ...] = ()


class NodeServer:
    """Listens, and keeps the one live session of every node."""

    def __init__(self, identity: Identity, gate: Gate, *, settings: ServerSettings) -> None:
        """Take who we are, who decides, and the limits. Nothing is opened yet."""
        self.guard = Guard(settings.guard)
        self._identity = identity
        self._gate = gate
        self._settings = settings
        self._links: dict[bytes, NodeLink] = {}
        self._sessions: set[NodeLink] = set()
        self._serving: set[asyncio.Task[object]] = set()
        self._superseded_at: dict[bytes, float] = {}
        self._http: web.Server | None = None
        self._listener: asyncio.Server | None = None

    @property
    def links(self) -> Mapping[bytes, NodeLink]:
        """The live session of each admitted node, by node id."""
        return MappingProxyType(self._links)

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port (chosen by the system if `port` is 0).

        Raises:
            BindError: the address is in use, not ours, or not allowed; or this process may open
                too few files.
        """
        num_descriptors = raise_descriptor_limit()
        if num_descriptors < MIN_DESCRIPTORS:
            raise BindError(
                f"this process may open only {num_descriptors} files and sockets; raise the limit "
                f"('ulimit -n', or LimitNOFILE= of the service) to {MIN_DESCRIPTORS} or more"
            )
        loop = asyncio.get_running_loop()
        http = web.Server(self._handle)
        self._http = http
        try:
            self._listener = await loop.create_server(
                lambda: GuardedHandler(self.guard, http), host, port, backlog=BACKLOG
            )
        except OSError as error:
            raise bind_error(error, host=host, port=port) from error
        bound: int = self._listener.sockets[0].getsockname()[1]
        return bound

    async def stop(self, text: str = "the coordinator is shutting down") -> None:
        """Say 4011 to every node, wait a moment for it to arrive, and close everything."""
        if self._listener is not None:
            self._listener.close()
        for link in tuple(self._sessions):
            link.close(CloseCode.SHUTTING_DOWN, text, retryable=True)
        if self._serving:
            await asyncio.wait(self._serving, timeout=2 * CLOSING_S)
        if self._http is not None:
            await self._http.shutdown(timeout=0.1)

    # ---- one connection -----------------------------------------------------------------------

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        refusal = _refuse(request)
        if refusal is not None:
            return refusal
        websocket = web.WebSocketResponse(
            timeout=CLOSING_S,
            protocols=(SUBPROTOCOL,),
            compress=False,
            max_msg_size=MAX_MESSAGE_BYTES,
            heartbeat=self._settings.heartbeat_s,
            autoping=True,
            writer_limit=WRITER_LIMIT_BYTES,
        )
        await websocket.prepare(request)
        handler = request.protocol
        transport = request.transport
        if transport is None or not isinstance(handler, GuardedHandler):
            return websocket
        tune(transport.get_extra_info("socket"))
        link = NodeLink(self._session(request), websocket, abort=transport.abort)
        link.address = handler.address
        await self._serve(link, handler)
        return websocket

    def _session(self, request: web.BaseRequest) -> CoordinatorSession:
        offered = request.headers[hdrs.SEC_WEBSOCKET_PROTOCOL]
        start = SessionStart(
            identity=self._identity,
            ephemeral_secret=secrets.token_bytes(32),
            prologue=prologue(request.raw_path, offered.split(","), SUBPROTOCOL),
            now=asyncio.get_running_loop().time(),
            versions=self._settings.versions,
        )
        return CoordinatorSession(
            start,
            federation=self._settings.federation,
            incarnation=self._settings.incarnation,
            successions=self._settings.successions,
        )

    async def _serve(self, link: NodeLink, handler: GuardedHandler) -> None:
        self._sessions.add(link)
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        try:
            async with asyncio.TaskGroup() as group:

                def on_event(event: SessionEvent) -> None:
                    if isinstance(event, ClientIdentified):
                        handler.identified()
                        group.create_task(self._admit(link, event, handler))
                    elif self._links.get(link.node_id) is link:
                        self._gate.event(link, event)

                await link.run(on_event)
        finally:
            self._sessions.discard(link)
            self._drop(link)

    async def _admit(
        self, link: NodeLink, event: ClientIdentified, handler: GuardedHandler
    ) -> None:
        link.identity, link.hello = event.identity, event.hello
        now = asyncio.get_running_loop().time()
        try:
            self._check_enrolment_rate(event.hello, handler.address, now=now)
            admission = await self._gate.admit(event.identity, event.hello, handler.address)
            if link.ended is not None:
                return
            self._supersede(link, now=asyncio.get_running_loop().time())
        except Rejected as verdict:
            if event.hello.invite is not None and verdict.code is CloseCode.UNAUTHORISED:
                self.guard.enrolment_failed(handler.address, now)
            link.close(
                verdict.code,
                verdict.text,
                retryable=verdict.retryable,
                retry_after_s=verdict.retry_after_s,
            )
            return
        handler.admitted()
        link.admission = admission
        link.session.welcome(admission)
        link.wake()
        self._links[link.node_id] = link
        self._gate.opened(link)

    def _check_enrolment_rate(self, hello: ClientHello, address: str, *, now: float) -> None:
        wait_s = self.guard.enrolment_wait_s(address, now)
        if hello.invite is not None and wait_s > 0:
            raise Rejected(
                CloseCode.OVERLOADED,
                "too many invites from this address were refused; try again later",
                retryable=True,
                retry_after_s=wait_s,
            )

    def _supersede(self, newest: NodeLink, *, now: float) -> None:
        """Let the newest session of an identity win, at most once a second (S7)."""
        node_id = newest.node_id
        older = self._links.get(node_id)
        if older is None:
            return
        last = self._superseded_at.get(node_id, -SUPERSEDE_EVERY_S)
        if now - last < SUPERSEDE_EVERY_S:
            raise Rejected(
                CloseCode.OVERLOADED,
                "this node connects again and again; is it running twice?",
                retryable=True,
                retry_after_s=SUPERSEDE_EVERY_S,
            )
        self._superseded_at = {
            other: at for other, at in self._superseded_at.items() if now - at < SUPERSEDE_EVERY_S
        }
        self._superseded_at[node_id] = now
        older.superseded_by = newest
        older.close(CloseCode.SUPERSEDED, "a newer session of this node took over")
        self._drop(older)

    def _drop(self, link: NodeLink) -> None:
        """Say goodbye to the gate, once, if it was ever told of this session."""
        if not hasattr(link, "identity") or self._links.get(link.node_id) is not link:
            return
        del self._links[link.node_id]
        ended = link.session.lost("the server stopped")
        self._gate.closed(link, ended.code, ended.text)


def _refuse(request: web.BaseRequest) -> web.Response | None:
    """Answer what is not a node's upgrade. An Origin means a browser: a page, or DNS rebinding."""
    if hdrs.ORIGIN in request.headers:
        return web.Response(status=403, text="fedtui does not talk to browsers\n")
    if request.raw_path != PATH:
        return web.Response(status=404, text="there is nothing here\n")
    offered = request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "")
    if SUBPROTOCOL not in (name.strip() for name in offered.split(",")):
        return web.Response(status=400, text=f"only the subprotocol {SUBPROTOCOL} is spoken\n")
    return None


def bind_error(error: OSError, *, host: str, port: int, section: str = "server") -> BindError:
    """Return one clear sentence for a failed bind (L6); `section` is that of coordinator.toml."""
    where = f"{host or 'any address'}, port {port}"
    if error.errno == errno.EADDRINUSE:
        return BindError(
            f"{where}: another program listens there already; stop it, or set another port under "
            f"[{section}] in coordinator.toml"
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return BindDeniedError(
            f"{where}: this user may not listen there; ports below 1024 need more rights, so take "
            "a higher one, such as 8443"
        )
    if error.errno in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}:
        return BindError(
            f"{where}: this machine has no such address (or no IPv6); use one of its own "
            "addresses, or 0.0.0.0 for all IPv4 addresses"
        )
    return BindError(f"{where}: cannot listen there ({error.strerror or error})")


def raise_descriptor_limit() -> int:
    """Allow as many open sockets as the system lets this process have; return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # macOS: "infinity" is not accepted
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
