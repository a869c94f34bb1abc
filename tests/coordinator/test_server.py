"""The nodes' websocket with a gate of strings, against real sockets on 127.0.0.1."""

import asyncio
import errno
import resource
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from coordinator.guard import GuardSettings
from coordinator.server import (
    BindDeniedError,
    BindError,
    NodeLink,
    NodeServer,
    Rejected,
    ServerSettings,
    bind_error,
    raise_descriptor_limit,
)
from fedtui.crypto.keys import Identity, PublicIdentity
from fedtui.errors import CloseCode, ExitCode
from fedtui.link.live import LiveSession
from fedtui.wire.events import (
    MessageReceived,
    Readied,
    SessionEnded,
    SessionEvent,
    Welcomed,
)
from fedtui.wire.halves import Admission, NodeHello, NodeSession
from fedtui.wire.invite import InviteProof
from fedtui.wire.messages import PATH, SUBPROTOCOL, ClientHello, Waiting
from node.dial import dial, session_start, shut

COORDINATOR = Identity.from_seed(b"c" * 32)
ALICE = Identity.from_seed(b"a" * 32)
BOB = Identity.from_seed(b"b" * 32)
PLAN_HASH = b"p" * 32
INVITE = InviteProof(invite_id=b"i" * 8, secret=b"s" * 16)


class Gate:
    """Writes down what happens; `verdict` is raised instead of admitting."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.verdict: Rejected | None = None
        self.num_asked = 0
        self.hold = asyncio.Event()
        self.hold.set()

    async def admit(self, identity: PublicIdentity, hello: ClientHello, address: str) -> Admission:
        self.num_asked += 1
        await self.hold.wait()
        if self.verdict is not None:
            raise self.verdict
        assert address == "127.0.0.1"
        return Admission(
            state="enrolled",
            role=hello.role,
            federation_id=b"f" * 32,
            plan_hash=PLAN_HASH,
            plan_bytes=0,
        )

    def opened(self, link: NodeLink) -> None:
        self.log.append(f"{link.hello.label} opened")

    def event(self, link: NodeLink, event: SessionEvent) -> None:
        self.log.append(f"{link.hello.label} {type(event).__name__}")

    def closed(self, link: NodeLink, code: int, text: str) -> None:
        self.log.append(f"{link.hello.label} closed {code}")


class Visitor:
    """One session of a node, run in a task."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse, session: NodeSession) -> None:
        self.websocket = websocket
        self.live = LiveSession(session, websocket, abort=lambda: shut(websocket))
        self.events: list[SessionEvent] = []
        self.welcomed = asyncio.Event()
        self.heard = asyncio.Event()
        self.task = asyncio.create_task(self.live.run(self._on_event))

    def _on_event(self, event: SessionEvent) -> None:
        self.events.append(event)
        if isinstance(event, Welcomed):
            self.welcomed.set()
        if isinstance(event, MessageReceived):
            self.heard.set()

    async def ended(self) -> SessionEnded:
        return await asyncio.wait_for(self.task, 10)


class World:
    def __init__(self, server: NodeServer, gate: Gate, http: aiohttp.ClientSession) -> None:
        self.server = server
        self.gate = gate
        self.http = http
        self.port = 0
        self.visitors: list[Visitor] = []

    async def visit(
        self, identity: Identity, label: str, *, invite: InviteProof | None = None
    ) -> Visitor:
        websocket = await dial(self.http, f"127.0.0.1:{self.port}")
        session = NodeSession(
            session_start(identity, websocket),
            hello=NodeHello(label=label, role="participant", invite=invite),
            coordinator_id=COORDINATOR.id,
        )
        visitor = Visitor(websocket, session)
        self.visitors.append(visitor)
        return visitor

    async def join(self, identity: Identity, label: str) -> Visitor:
        visitor = await self.visit(identity, label)
        await asyncio.wait_for(visitor.welcomed.wait(), 10)
        visitor.live.session.ready(PLAN_HASH)
        visitor.live.wake()
        await until(lambda: f"{label} Readied" in self.gate.log)
        return visitor


async def until(done: object) -> None:
    while True:
        if done():  # type: ignore[operator]
            return
        await asyncio.sleep(0)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    gate = Gate()
    settings = ServerSettings(
        federation="test", incarnation=1, guard=GuardSettings(handshake_s=2.0)
    )
    server = NodeServer(COORDINATOR, gate, settings=settings)
    async with aiohttp.ClientSession() as http:
        world = World(server, gate, http)
        world.port = await server.start("127.0.0.1", 0)
        yield world
        await server.stop()
        for visitor in world.visitors:
            await visitor.ended()
            await visitor.websocket.close()


async def test_a_session_from_opened_to_closed(world: World) -> None:
    alice = await world.join(ALICE, "alice")
    assert world.gate.log == ["alice opened", "alice Readied"]
    link = world.server.links[ALICE.id]
    assert (link.node_id, link.role, link.ready) == (ALICE.id, "participant", True)
    assert link.identity == ALICE.public
    assert world.server.guard.num_waiting == 0
    assert link.send(Waiting(incarnation=1, present=1, needed=2))
    await asyncio.wait_for(alice.heard.wait(), 10)
    alice.live.close(CloseCode.BYE, "good night")
    await alice.ended()
    await until(lambda: "alice closed 4000" in world.gate.log)
    assert not world.server.links
    assert not link.send(Waiting(incarnation=1, present=1, needed=2))
    assert link.open_stream(None, None) is None  # type: ignore[arg-type]
    assert not link.receipt(1, PLAN_HASH)


async def test_stop_tells_every_node(world: World) -> None:
    alice = await world.join(ALICE, "alice")
    bob = await world.join(BOB, "bob")
    waiting = await world.visit(Identity.from_seed(b"w" * 32), "waiting")
    await world.server.stop("upgrade at noon")
    for visitor in (alice, bob):
        ended = await visitor.ended()
        assert (ended.code, ended.text, ended.authentic) == (4011, "upgrade at noon", True)
    await waiting.ended()
    assert world.gate.log.count("alice closed 4011") == 1
    with pytest.raises(aiohttp.ClientConnectorError):
        await dial(world.http, f"127.0.0.1:{world.port}")


async def test_a_rejected_node_is_told_why_and_is_never_opened(world: World) -> None:
    world.gate.verdict = Rejected(
        CloseCode.OVERLOADED, "come back later", retryable=True, retry_after_s=7.0
    )
    alice = await world.visit(ALICE, "alice")
    assert await alice.ended() == SessionEnded(4010, "come back later", retry_after_s=7.0)
    await until(lambda: world.server.guard.num_waiting == 0)
    assert world.gate.log == []


async def test_invites_cannot_be_guessed_quickly(world: World) -> None:
    world.gate.verdict = Rejected(CloseCode.UNAUTHORISED, "no such invite")
    for _ in range(5):
        visitor = await world.visit(ALICE, "alice", invite=INVITE)
        assert (await visitor.ended()).code == CloseCode.UNAUTHORISED
    visitor = await world.visit(ALICE, "alice", invite=INVITE)
    ended = await visitor.ended()
    assert ended.code == CloseCode.OVERLOADED
    assert 1 < ended.retry_after_s <= 12
    assert world.gate.num_asked == 5
    world.gate.verdict = None
    await world.join(BOB, "bob")  # who has no need of an invite comes in from there all the same


async def test_S7_the_newest_session_wins_at_most_once_a_second(world: World) -> None:
    first = await world.join(ALICE, "first")
    bob = await world.join(BOB, "bob")
    older = world.server.links[ALICE.id]
    second = await world.join(ALICE, "second")
    assert older.superseded_by is world.server.links[ALICE.id], "which the gate then audits"
    ended = await first.ended()
    assert (ended.code, ended.authentic) == (CloseCode.SUPERSEDED, True)
    assert world.gate.log.index("first closed 4007") < world.gate.log.index("second opened")
    for number in range(5):
        visitor = await world.visit(ALICE, f"flap {number}")
        ended = await visitor.ended()
        assert ended.code == CloseCode.OVERLOADED
        assert ended.retry_after_s > 0
    assert world.server.links[ALICE.id].hello.label == "second"
    assert not second.task.done()
    assert not bob.task.done()
    assert not any(line.startswith("flap") for line in world.gate.log)


async def test_S7_nothing_of_a_superseded_session_is_heard_any_more(world: World) -> None:
    first = await world.join(ALICE, "first")
    await world.join(ALICE, "second")
    await first.ended()
    position = world.gate.log.index("first closed 4007")
    assert not any(line.startswith("first") for line in world.gate.log[position + 1 :])
    assert world.gate.log.count("first closed 4007") == 1


async def test_a_node_that_leaves_while_the_gate_decides(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.gate.hold.clear()
    alice = await world.visit(ALICE, "alice")
    await until(lambda: world.gate.num_asked == 1)
    alice.live.close(CloseCode.BYE, "changed my mind")
    await alice.ended()
    world.gate.hold.set()
    await until(lambda: world.server.guard.num_waiting == 0)
    await until(lambda: not world.server._serving)
    assert world.gate.log == []
    assert not world.server.links
    assert caplog.records == []


async def test_the_deadline_ends_with_the_handshake(world: World) -> None:
    """The roster may take longer than a stranger may."""
    world.gate.hold.clear()
    alice = await world.visit(ALICE, "alice")
    await until(lambda: world.gate.num_asked == 1)
    assert world.server.guard.num_waiting == 1
    handlers = [h for h in world.server._http.connections if h._deadline]  # type: ignore[union-attr]
    assert not handlers
    world.gate.hold.set()
    await asyncio.wait_for(alice.welcomed.wait(), 10)
    assert world.server.guard.num_waiting == 0


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (PATH, {"Origin": "http://evil.example"}, 403),
        ("/", {}, 404),
        (PATH + "?x=1", {}, 404),
        (PATH + "/", {}, 404),
        (PATH, {"Sec-WebSocket-Protocol": "fedtui.v9"}, 400),
        (PATH, {"Sec-WebSocket-Protocol": ""}, 400),
    ],
)
async def test_who_is_not_upgraded(
    world: World, path: str, headers: dict[str, str], status: int
) -> None:
    wanted = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
        "Sec-WebSocket-Protocol": SUBPROTOCOL,
    }
    url = f"http://127.0.0.1:{world.port}{path}"
    async with world.http.get(url, headers=wanted | headers) as response:
        assert response.status == status
    async with world.http.get(f"http://127.0.0.1:{world.port}{PATH}") as response:
        assert response.status == 400


async def test_S3_another_offer_than_the_node_made_fails_the_first_mac(world: World) -> None:
    url = f"http://127.0.0.1:{world.port}{PATH}"
    websocket = await world.http.ws_connect(url, protocols=("fedtui.v0", SUBPROTOCOL))
    session = NodeSession(
        session_start(ALICE, websocket),  # says that it offered fedtui.v1 only
        hello=NodeHello(label="alice", role="participant"),
        coordinator_id=COORDINATOR.id,
    )
    visitor = Visitor(websocket, session)
    world.visitors.append(visitor)
    assert (await visitor.ended()).code == CloseCode.CRYPTO
    assert world.gate.num_asked == 0


async def test_S3_a_text_frame_is_refused(world: World) -> None:
    url = f"http://127.0.0.1:{world.port}{PATH}"
    async with world.http.ws_connect(url, protocols=(SUBPROTOCOL,)) as websocket:
        await websocket.send_str("hello")
        message = await websocket.receive()
        assert message.type is aiohttp.WSMsgType.CLOSE
        assert message.data == CloseCode.PROTOCOL


async def test_a_bug_in_the_gate_ends_that_session_only(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    bob = await world.join(BOB, "bob")
    original = world.gate.event

    def event(link: NodeLink, event: SessionEvent) -> None:
        original(link, event)
        if isinstance(event, Readied) and link.hello.label == "alice":
            raise RuntimeError("a bug")

    world.gate.event = event  # type: ignore[method-assign]
    alice = await world.join(ALICE, "alice")
    await alice.ended()
    await until(lambda: "alice closed 4000" in world.gate.log)
    assert not bob.task.done()
    assert "a bug" in caplog.text


# ---- L6 ----------------------------------------------------------------------------------------


async def test_L6_a_port_in_use(world: World) -> None:
    other = NodeServer(
        COORDINATOR, Gate(), settings=ServerSettings(federation="test", incarnation=1)
    )
    with pytest.raises(BindError, match=f"port {world.port}: another program listens") as caught:
        await other.start("127.0.0.1", world.port)
    assert caught.value.exit_code == ExitCode.UNAVAILABLE
    assert "\n" not in str(caught.value)
    await other.stop()


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
async def test_L6_an_address_of_somebody_else(host: str) -> None:
    server = NodeServer(
        COORDINATOR, Gate(), settings=ServerSettings(federation="test", incarnation=1)
    )
    with pytest.raises(BindError) as caught:
        await server.start(host, 0)
    assert host in str(caught.value)
    await server.stop()


@pytest.mark.parametrize(
    ("number", "words", "code"),
    [
        (errno.EACCES, "may not listen", ExitCode.NO_PERMISSION),
        (errno.EPERM, "may not listen", ExitCode.NO_PERMISSION),
        (errno.EAFNOSUPPORT, "no IPv6", ExitCode.UNAVAILABLE),
        (errno.EADDRNOTAVAIL, "no such address", ExitCode.UNAVAILABLE),
        (errno.EIO, "Input/output error", ExitCode.UNAVAILABLE),
    ],
)
def test_L6_one_sentence_for_each_reason(number: int, words: str, code: ExitCode) -> None:
    error = bind_error(OSError(number, errno.errorcode[number]), host="::", port=80)
    if number == errno.EIO:
        words = "EIO"
    assert words in str(error)
    assert error.exit_code == code
    assert isinstance(error, BindDeniedError) is (code == ExitCode.NO_PERMISSION)


def test_the_descriptor_limit_is_raised() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(64, before[1]), before[1]))
        raise_descriptor_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == before[1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_the_sockets_of_sessions_are_tuned(world: World) -> None:
    await world.join(ALICE, "alice")
    handler = world.server._http.connections[0]  # type: ignore[union-attr]
    assert handler.transport is not None
    connection = handler.transport.get_extra_info("socket")
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30000
