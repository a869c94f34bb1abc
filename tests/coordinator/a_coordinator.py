"""A real coordinator on 127.0.0.1 and scripted nodes, in one process: for service tests."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from coordinator.asks import AskInvite
from coordinator.initialise import Wishes, initialise
from coordinator.layout import Layout
from coordinator.opening import load_identity, open_coordinator, read_settings
from coordinator.service import CoordinatorService, Ports
from coordinator.templates import ServerChoices
from fedtui.crypto.keys import Identity
from fedtui.learning.params import Manifest, Params, TensorSpec
from fedtui.wire.events import MessageReceived, SessionEvent, StreamComplete, StreamOpened
from fedtui.wire.halves import NodeHello
from fedtui.wire.invite import Invite, InviteProof
from fedtui.wire.messages import (
    Accepting,
    Ended,
    Enrolled,
    Evaluate,
    Evaluation,
    Fetch,
    Offer,
    Open,
    Role,
    UpdateHeader,
    Welcome,
)
from node.link import Drop, Link, LinkStopped, Tuning

MANIFEST = Manifest((TensorSpec("w", (50, 10)), TensorSpec("b", (10,))))
D = MANIFEST.num_values
PLAN = """
[federation]
name = "test"
[task]
name = "digits"
[selection]
minimum = {minimum}
[rounds]
maximum = {rounds}
[deadlines]
accept_s = {deadline_s}
update_s = {deadline_s}
rejoin_s = {deadline_s}
evaluate_s = {deadline_s}
[privacy]
updates = "visible"
"""


def make(
    root: Path,
    *,
    minimum: int = 2,
    rounds: int = 2,
    deadline_s: float = 20.0,
    updates: str = "visible",
    extra: str = "",
) -> Layout:
    """Initialise a coordinator with a model of 510 zeros."""
    initial = root.parent / "initial.safetensors"
    initial.write_bytes(Params(MANIFEST, np.zeros(D, np.float32)).to_safetensors())
    server = ServerChoices(host="127.0.0.1", port=0, health_port=0)
    text = PLAN.format(minimum=minimum, rounds=rounds, deadline_s=deadline_s)
    text = text.replace("visible", updates) + extra
    wishes = Wishes(server=server, plan=text, initial=initial)
    with ThreadPoolExecutor(1) as thread:  # it runs an event loop of its own
        return thread.submit(initialise, root, wishes).result().layout


@asynccontextmanager
async def serving(layout: Layout) -> AsyncIterator[CoordinatorService]:
    """A coordinator that serves until the block ends."""
    opened = open_coordinator(read_settings(layout), load_identity(layout))
    try:
        service = CoordinatorService(opened)
        started: asyncio.Future[Ports] = asyncio.get_running_loop().create_future()
        running = asyncio.create_task(service.run(started))
        await asyncio.wait({started, running}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
        try:
            yield service
        finally:
            service.stop()
            await running
    finally:
        opened.store.close()


async def until(done: Callable[[], bool]) -> None:
    """Wait for what no event tells; the test's own time limit is the limit."""
    while True:
        if done():
            return
        await asyncio.sleep(0.002)


@dataclass
class Bytes:
    data: bytes

    @property
    def num_bytes(self) -> int:
        return len(self.data)

    def read(self, offset: int, size: int) -> bytes:
        return self.data[offset : offset + size]


@dataclass
class Spool:
    data: bytearray = field(default_factory=bytearray)

    def write(self, data: memoryview, /) -> None:
        self.data += data


@dataclass
class ThinNode:
    """Does what a node must, with a fixed update. Flags make it misbehave."""

    number: int
    role: Role = "participant"
    update: bytes = b""
    correct: float = 8.0
    answers: bool = True
    fetches: bool = False
    trains_s: float = 0.0
    declared: dict[str, str] = field(default_factory=dict)
    heard: list[object] = field(default_factory=list)
    drops: list[Drop] = field(default_factory=list)
    models: dict[bytes, bytes] = field(default_factory=dict)
    enrolled: bool = False
    link: Link | None = None
    run: "asyncio.Task[LinkStopped] | None" = None
    _spool: Spool = field(default_factory=Spool)
    _opening: Open | None = None

    def __post_init__(self) -> None:
        self.identity = Identity.from_seed(bytes([self.number]) * 32)
        if not self.update:
            self.update = np.full(D, self.number, "<f4").tobytes()

    async def start(self, service: CoordinatorService, invite: Invite | None = None) -> None:
        """Dial a coordinator of this process."""
        self.dial(service.ports.nodes, service._identity.id, invite)

    def dial(self, port: int, coordinator_id: bytes, invite: Invite | None = None) -> None:
        """Dial, and go on dialling."""
        proof = InviteProof(invite_id=invite.invite_id, secret=invite.secret) if invite else None
        self.link = Link(
            self.identity,
            addresses=[f"127.0.0.1:{port}"],
            coordinator_id=coordinator_id,
            hello=NodeHello(label=f"n{self.number}", role=self.role, invite=proof),
            handler=self,
            tuning=Tuning(jitter=lambda: 0.01),
        )
        self.run = asyncio.create_task(self.link.run())

    async def stop(self) -> None:
        if self.link is not None and self.run is not None:
            self.link.stop()
            await asyncio.wait_for(self.run, 20)

    # ---- LinkHandler ----------------------------------------------------------------------------

    def connected(self, welcome: Welcome) -> None:
        assert self.link is not None
        self.heard.append(welcome)
        self.link.ready(welcome.plan_hash, self.declared)

    def disconnected(self, drop: Drop, retry_in_s: float | None) -> None:
        self.drops.append(drop)

    def event(self, event: SessionEvent) -> None:
        assert self.link is not None
        match event:
            case MessageReceived(message=message):
                self.heard.append(message)
                if isinstance(message, Enrolled):
                    self.enrolled = True
                if isinstance(message, Offer) and self.answers:
                    self._train(message)
                if isinstance(message, Evaluate):
                    self._evaluate(message)
            case StreamOpened(opening=opening):
                self._opening, self._spool = opening, Spool()
                self.link.accept(opening.stream, self._spool)
            case StreamComplete(stream=stream):
                assert self._opening is not None
                self.models[self._opening.digest] = bytes(self._spool.data)
                self.link.receipt(stream, self._opening.digest)
            case _:
                self.heard.append(event)

    def _train(self, offer: Offer) -> None:
        assert self.link is not None
        names = {
            "incarnation": offer.incarnation,
            "round": offer.round,
            "attempt": offer.attempt,
        }
        self.link.send(Accepting(**names))
        if self.fetches:
            have = next(reversed(self.models), None)
            self.link.send(Fetch(kind="model", digest=offer.model.digest, have=have))
        opening = Open(
            stream=0,
            kind="update",
            num_bytes=len(self.update),
            digest=hashlib.blake2b(self.update, digest_size=32).digest(),
            manifest_digest=offer.manifest_digest,
            update=UpdateHeader(
                num_examples=10 * self.number, sums={"loss_sum": 1.0, "examples": 10.0}
            ),
            **names,
        )
        loop = asyncio.get_running_loop()
        loop.call_later(self.trains_s, self.link.open_stream, opening, Bytes(self.update))

    def _evaluate(self, asked: Evaluate) -> None:
        assert self.link is not None
        sums = {"loss_sum": 1.0, "correct": self.correct, "examples": 10.0}
        self.link.send(Evaluation(incarnation=asked.incarnation, round=asked.round, sums=sums))


async def invite(
    service: CoordinatorService, *, auto: bool = True, role: Role = "participant", uses: int = 1
) -> Invite:
    """A parsed invite of this coordinator."""
    ask = AskInvite(auto_approve=auto, role=role, uses=uses)
    return Invite.parse((await service.invite_maker().make(ask)).invite)


@asynccontextmanager
async def thin_nodes(service: CoordinatorService, *nodes: ThinNode) -> AsyncIterator[None]:
    """Nodes that joined with an invite each."""
    try:
        for node in nodes:
            await node.start(service, await invite(service, role=node.role))
        yield
    finally:
        for node in nodes:
            await node.stop()


def a_finished_run(folder: Path, *, extra: str = "", num_sections: int = 1) -> Layout:
    """The directory of a coordinator after two rounds of two nodes, with more in its plan.

    Under a strategy that has vectors travel an update has more sections, all the same here.
    """
    layout = make(folder / "f", extra=extra)

    async def run() -> None:
        nodes = [ThinNode(1), ThinNode(3)]
        for node in nodes:
            node.update *= num_sections
        async with serving(layout) as service, thin_nodes(service, *nodes):
            # Committed, not only decided: the machine is ahead of the store.
            await until(lambda: any(isinstance(m, Ended) for m in nodes[0].heard))

    asyncio.run(run())
    return layout
