"""A coordinator without a network: it answers a node's calls as the real one would, at once.

It is a Connection (node/home.py) for one node. Events reach the node through `loop.call_soon`, as
they do from a socket. What the node said and sent is kept for the test to look at.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
from a_plan import COORDINATOR, MANIFEST, MODEL, NODE, PLAN, digest_of, model_ref
from fake_trainer import FakeTrainer

from fedtui.errors import CloseCode, Retry
from fedtui.rounds.plan import plan_hash
from fedtui.status import NodeStatus
from fedtui.wire import codec, events
from fedtui.wire.enrolment import Certificate, enrol
from fedtui.wire.halves import NodeHello
from fedtui.wire.messages import (
    Evaluate,
    Fetch,
    FromNode,
    Offer,
    Open,
    Result,
    ServerHello,
    Terms,
    Welcome,
)
from fedtui.wire.tally import Tally
from node import config as configs
from node.board import Board
from node.config import CoordinatorTable, NodeConfig, PrivacyTable
from node.controls import Node
from node.home import Home
from node.keystore import TrustStore
from node.ledger import Ledger
from node.link import Drop
from node.membership import Membership
from node.meter import Meter, Traffic
from node.models import Models
from node.own_key import OwnKey
from node.paths import Profile
from node.updates import Updates

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedtui.crypto.keys import PublicIdentity


class FakeCoordinator:
    """One node's session; `connect()` and `drop()` begin and end it."""

    def __init__(self) -> None:
        self.plan = PLAN
        self.manifest = MANIFEST
        self.identity = COORDINATOR
        self.federation_id = b"f" * 32
        self.models = {digest_of(MODEL): MODEL}
        self.announced: bytes | None = None
        self.state = "enrolled"
        self.role = "participant"
        self.certified_by = COORDINATOR
        self.node = NODE.public
        self.serve_bulk = True
        self.upload_offset = 0
        self.receipts = True
        self.said: list[FromNode] = []
        self.opened: list[Open] = []
        self.uploads: list[bytes] = []
        self.hellos: list[NodeHello] = []
        self.refused: list[str] = []
        self.readied: list[bytes] = []
        self.on_open: Callable[[], None] = lambda: None
        self.on_said: Callable[[FromNode], None] = lambda message: None
        self.coordinator: PublicIdentity | None = None
        self.server_hello: ServerHello | None = None
        self.successions = ()
        self.stopped = asyncio.Event()
        self.up = False
        self.num_cut = self.num_retries = 0
        self.rate = -1.0
        self._stream = 0
        self._sinks: dict[int, tuple[object, bytes]] = {}
        self._waiting: dict[int, bytes] = {}
        self.meter = Meter()
        self.tally = Tally()

    @property
    def plan_hash(self) -> bytes:
        return plan_hash(self.plan, self.manifest)

    # ---- Dial and Connection ------------------------------------------------------------------

    def dial(self, config: NodeConfig, hello: NodeHello, handler: Membership) -> "FakeCoordinator":
        self.handler = handler
        self.hellos.append(hello)
        self.stopped = asyncio.Event()
        return self

    async def run(self) -> object:
        self.connect()
        await self.stopped.wait()
        if self.up:
            self.drop(retry=False)
        return None

    def connect(self) -> None:
        self.up = True
        self.tally = Tally()
        self.meter.follow(self.tally)
        self.meter.num_welcomed += 1
        self.coordinator = self.identity.public
        self.server_hello = ServerHello(
            version_min=1,
            version_max=1,
            ed25519=self.identity.ed25519_public,
            federation="clinics",
            incarnation=1,
        )
        self.handler.connected(
            Welcome(
                session_id=b"s" * 16,
                state=self.state,
                version=1,
                federation_id=self.federation_id,
                plan_hash=self.announced or self.plan_hash,
                plan_bytes=0,
                window=2**20,
            )
        )

    def drop(
        self,
        *,
        code: int = CloseCode.BYE,
        text: str = "gone",
        retry: bool = True,
    ) -> None:
        self.up = False
        self._sinks.clear()
        drop = Drop(code=code, text=text, retry=Retry.SILENTLY if retry else Retry.ASK)
        self.handler.disconnected(drop, 1.0 if retry else None)

    def use_hello(self, hello: NodeHello) -> None:
        self.hellos.append(hello)

    def ready(self, plan_hash: bytes, declared: Mapping[str, str]) -> bool:
        self.readied.append(plan_hash)
        self.declared = dict(declared)
        if self.state == "enrolled":
            self.enrol()
        return True

    def stop(self, text: str = "") -> None:
        self.stopped.set()

    @property
    def connected(self) -> bool:
        return self.up

    def cut(self) -> None:
        self.num_cut += 1
        self.up = False
        self.stopped.set()

    def retry(self) -> None:
        self.num_retries += 1
        if not self.up:
            self.connect()

    def pace(self, bytes_per_s: float) -> None:
        self.rate = bytes_per_s

    def traffic(self, now: float) -> Traffic:
        return self.meter.read(now)

    def totals(self) -> tuple[int, int]:
        return self.meter.totals()

    def send(self, message: FromNode) -> bool:
        if not self.up:
            return False
        self.on_said(message)
        self.said.append(message)
        if isinstance(message, Fetch):
            self._serve(message)
        return True

    def open_stream(self, opening: Open, source: object) -> int | None:
        if not self.up:
            return None
        self.on_open()
        self._stream += 1
        self.opened.append(opening)
        data = source.read(self.upload_offset, opening.num_bytes - self.upload_offset)
        self.uploads.append(bytes(data))
        self.tally.sent.num_data += len(data)
        if self.receipts:
            self._soon(events.StreamReceipt(self._stream, opening.digest))
        return self._stream

    def accept(self, stream: int, sink: object, *, offset: int = 0) -> bool:
        data = self._waiting[stream]
        self._sinks[stream] = (sink, data)
        self.served_from = offset
        if self.serve_bulk:
            sink.write(memoryview(data)[offset:])
            self.tally.received.num_data += len(data) - offset
            self._soon(events.StreamComplete(stream))
        else:
            sink.write(memoryview(data)[offset : offset + 100])
        return True

    def refuse(self, stream: int, code: CloseCode, *, text: str) -> bool:
        self.refused.append(text)
        return True

    def receipt(self, stream: int, digest: bytes) -> bool:
        return True

    def cancel_stream(self, stream: int) -> bool:
        return True

    # ---- what the test lets it say ------------------------------------------------------------

    def tell(self, message: object) -> None:
        self.handler.event(events.MessageReceived(message))

    def enrol(self) -> None:
        certificate = Certificate(self.federation_id, self.node, self.role, 1)
        self._soon(events.MessageReceived(enrol(self.certified_by, certificate)))

    def offer(self, number: int = 1, attempt: int = 1, **changes: object) -> None:
        message = Offer(
            incarnation=1,
            round=number,
            attempt=attempt,
            plan_hash=self.plan_hash,
            manifest_digest=self.manifest.digest(),
            model=model_ref(number=number - 1),
            cohort_size=2,
            accept_s=10.0,
            deadline_s=60.0,
        )
        self.tell(msgspec.structs.replace(message, **changes))

    def evaluate(self, number: int = 1) -> None:
        self.tell(
            Evaluate(
                incarnation=1,
                round=number,
                plan_hash=self.plan_hash,
                manifest_digest=self.manifest.digest(),
                model=model_ref(number=number),
                deadline_s=60.0,
            )
        )

    def result(self, number: int = 1, **changes: object) -> None:
        message = Result(
            incarnation=1,
            round=number,
            attempt=1,
            model=model_ref(number=number),
            num_updates=2,
            counted=True,
            sums={},
        )
        self.tell(msgspec.structs.replace(message, **changes))

    def offer_bytes(self, kind: str, data: bytes, digest: bytes) -> int:
        self._stream += 1
        self._waiting[self._stream] = data
        opening = Open(stream=self._stream, kind=kind, num_bytes=len(data), digest=digest)
        self._soon(events.StreamOpened(opening))
        return self._stream

    def _serve(self, message: Fetch) -> None:
        if message.kind == "plan":
            terms = codec.canonical(Terms(plan=codec.canonical(self.plan), manifest=self.manifest))
            self.offer_bytes("plan", terms, digest_of(terms))
        elif message.digest in self.models:
            self.offer_bytes("model", self.models[message.digest], message.digest)

    def _soon(self, event: object) -> None:
        asyncio.get_running_loop().call_soon(self._tell_if_up, event)

    def _tell_if_up(self, event: object) -> None:
        if self.up:
            self.handler.event(event)


class Clock:
    """UTC seconds that only the test moves."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def make_node(
    home: Profile, coordinator: FakeCoordinator, *, trainer: FakeTrainer | None = None
) -> Node:
    """A node of this profile that talks to `coordinator`; close() it."""
    clock = Clock()
    parts = Home(
        profile=home,
        key=OwnKey(home.root, NODE),
        trust=TrustStore(home.root),
        board=Board(NodeStatus(label="alice", node_id=NODE.id.hex()), clock=clock),
        ledger=Ledger(home.ledger),
        models=Models(home.models),
        updates=Updates(home.work),
        trainer=trainer or FakeTrainer(),
        clock=clock,
    )
    return Node(parts, coordinator.dial)


def write_config(home: Profile, **changes: object) -> NodeConfig:
    """node.toml of a member of COORDINATOR's federation."""
    config = msgspec.structs.replace(
        NodeConfig(
            label="alice",
            coordinator=CoordinatorTable(id=COORDINATOR.id.hex(), addresses=["c.example:8443"]),
            privacy=PrivacyTable(require_masked=False),  # PLAN is a visible one
        ),
        **changes,
    )
    configs.save(home.config, config)
    return config


async def settle(turns: int = 30) -> None:
    """Let everything that is due happen; there is no time in these tests."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def enter(home: Profile, node: Node) -> None:
    """Start the node; the first time, join as `fedtui join` does."""
    await node.start()
    if TrustStore(home.root).get(COORDINATOR.id) is None:
        await node.join()
    await settle()


async def member(home: Profile, coordinator: FakeCoordinator, **parts: object) -> Node:
    """A node that has joined and agreed to the plan."""
    if not home.config.exists():
        write_config(home)
    node = make_node(home, coordinator, **parts)
    await enter(home, node)
    if not (await node.status()).consented:
        await node.consent(coordinator.plan_hash.hex())
        await settle()
    return node
