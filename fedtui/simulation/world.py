"""World: a whole federation on a virtual clock; the test harness, and the ground of simulation.

It drives the same machines as the programs do and passes every message through the real codec.
One seed decides everything: the same seed gives the same run, event for event. Faults: latency,
loss of sessions, partitions, disorder, duplicates, crashes and restarts of any host (also between
two storage steps of the coordinator), stalled hosts, clocks that are wrong or jump, and `lie`,
which lets a test say anything in a node's name.

    world = World(seed=1, num_nodes=5)
    world.run(rounds=3)
    world.drop("n3", after=Accepting); world.run()
"""

from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal

import numpy as np

from fedtui.crypto.keys import Identity
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.rounds.machine import (
    AcceptUpdate,
    CoordinatorEvent,
    Joined,
    Left,
    LocalOperator,
    Said,
    UpdateArrived,
    UpdateOpened,
    Upload,
)
from fedtui.rounds.plan import FederationSection, Plan, PrivacySection, TaskSection, plan_hash
from fedtui.simulation.clock import Action, Clock
from fedtui.simulation.coordinator_host import CoordinatorHost
from fedtui.simulation.invariants import Invariants
from fedtui.simulation.network import PostOffice, Session, Weather
from fedtui.simulation.node_host import NodeHost, vector_digest
from fedtui.wire.codec import decode, encode
from fedtui.wire.messages import Control, FromCoordinator, FromNode, Ready, Role
from fedtui.wire.parts import MAX_FROM_COORDINATOR_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

RECONNECT_S = (0.1, 1.0)
NOTICED_AFTER_S = 5.0
"""When a heartbeat shows that a session is dead although nobody closed it."""

Way = Literal["both", "up", "down"]


def small_plan() -> Plan:
    """A plan for a world: no target, short deadlines, visible updates."""
    return Plan(
        federation=FederationSection(name="world"),
        task=TaskSection(name="digits"),
        privacy=PrivacySection(updates="visible"),
    )


def improving(node: NodeHost, number: int) -> dict[str, float]:
    """What a node measures unless a test says otherwise: 10 % more is right in every round."""
    correct = float(min(node.num_examples, node.num_examples * number // 10))
    return {"loss_sum": 1.0, "correct": correct, "examples": float(node.num_examples)}


@cache
def _identity(text: str) -> Identity:
    """Keys that follow from a name."""
    return Identity.from_seed(blake2b(text.encode(), digest_size=32).digest())


class World:
    """One coordinator, its nodes, and everything that can happen to them."""

    def __init__(
        self,
        *,
        seed: int,
        num_nodes: int,
        plan: Plan | None = None,
        weather: Weather | None = None,
        num_values: int = 4,
    ) -> None:
        self.seed = seed
        self.num_values = num_values
        self.plan = plan or small_plan()
        self.manifest = Manifest(tensors=(TensorSpec("w", (num_values,)),))
        self.plan_hash = plan_hash(self.plan, self.manifest)
        self.federation_id = blake2b(b"world", digest_size=32).digest()
        self.keys = _identity("coordinator")
        self._names: dict[bytes, str] = {}
        self.clock = Clock()
        self.rng = np.random.default_rng(seed)
        self.post = PostOffice(self.clock, self.rng, weather or Weather())
        self.nodes: dict[bytes, NodeHost] = {}
        self.sessions: dict[bytes, Session] = {}
        self.streams: dict[int, tuple[NodeHost, Upload]] = {}
        self.revoked: set[bytes] = set()
        self.invariants = Invariants(self)
        self._num_sessions = 0
        self._num_streams = 0
        self._watchers: list[Callable[[bytes, FromNode], None]] = []
        self.measure: Callable[[NodeHost, int], dict[str, float]] = improving
        self.traced = False
        self.trace = blake2b(digest_size=16)
        self.coordinator = CoordinatorHost(self)
        self.coordinator.create(self.rng.normal(0, 1, num_values).astype(np.float32))
        self.join(num_nodes)

    # ---- who is here --------------------------------------------------------------------------

    def join(self, num: int, *, role: Role = "participant") -> list[bytes]:
        """Let `num` new nodes arrive, called n1, n2, ...; return their ids."""
        texts = [f"n{len(self.nodes) + i + 1}" for i in range(num)]
        names = [self.name(text) for text in texts]
        self._names |= dict(zip(names, texts, strict=True))
        for name in names:
            self.nodes[name] = NodeHost(
                self,
                name,
                role,
                num_examples=int(self.rng.integers(1, 500)),
                train_s=float(self.rng.uniform(0.5, 2.0)),
            )
            self._connect_soon(name)
        return names

    @staticmethod
    def name(text: str) -> bytes:
        """The 32-byte id of the node called `text`."""
        return _identity(text).id

    def called(self, name: bytes) -> str:
        """What the node with this id is called."""
        return self._names[name]

    def identity(self, name: bytes) -> Identity:
        """The keys of a node of this world."""
        return _identity(self._names[name])

    def revoke(self, text: str) -> None:
        """The operator expels a node: out at once, and it cannot come back."""
        name = self.name(text)
        self.revoked.add(name)
        session = self.sessions.pop(name, None)
        if session is not None:
            session.alive = False
            self._tell_coordinator(Left(name, for_good=True))
            self.nodes[name].disconnected()

    # ---- sessions -----------------------------------------------------------------------------

    def _connect_soon(self, name: bytes) -> None:
        self.clock.after(float(self.rng.uniform(*RECONNECT_S)), lambda: self._connect(name))

    def _connect(self, name: bytes) -> None:
        node = self.nodes[name]
        if not node.up or name in self.sessions or name in self.revoked:
            return
        if not self.coordinator.up or self.post.is_cut(name):
            self._connect_soon(name)
            return
        self._num_sessions += 1
        self.sessions[name] = Session(self._num_sessions, name)
        node.connected()
        keys = self.identity(name).public
        self._tell_coordinator(Joined(name, node.role, keys, not_before=1))

    def disconnect(self, name: bytes) -> None:
        """Break the session; the node tries again soon."""
        session = self.sessions.pop(name, None)
        if session is None:
            return
        session.alive = False
        self.nodes[name].disconnected()
        if self.coordinator.up:
            self._tell_coordinator(Left(name))
        self._connect_soon(name)

    def coordinator_down(self) -> None:
        """All sessions end with the coordinator's process."""
        for name in list(self.sessions):
            self.disconnect(name)

    # ---- faults -------------------------------------------------------------------------------

    def crash_node(self, text: str, *, back_after_s: float | None = None) -> None:
        name = self.name(text)
        self.nodes[name].crash()
        self.disconnect(name)
        if back_after_s is not None:
            self.clock.after(back_after_s, lambda: self._revive(name))

    def _revive(self, name: bytes) -> None:
        self.nodes[name].restart()
        self._connect_soon(name)

    def crash_coordinator(self, *, back_after_s: float) -> None:
        self.coordinator.crash()
        self.clock.after(back_after_s, self.coordinator.restart)

    def partition(self, text: str, *, for_s: float, way: Way = "both") -> None:
        """Nothing passes (one way or both) for a while; the heartbeat notices after a time."""
        name = self.name(text)
        ways = {"up", "down"} if way == "both" else {way}
        session = self.sessions.get(name)
        self.post.blocked |= {(name, w) for w in ways}
        self.clock.after(
            for_s, lambda: self.post.blocked.difference_update((name, w) for w in ways)
        )

        def notice() -> None:
            if (
                self.sessions.get(name) is session
                and session is not None
                and session.num_swallowed
            ):
                self.disconnect(name)

        self.clock.after(NOTICED_AFTER_S, notice)

    def heal(self) -> None:
        """All nets work again, all hosts run."""
        self.post.blocked.clear()
        self.coordinator.restart()
        for name, node in self.nodes.items():
            if node.stalled:
                node.go_on()
            session = self.sessions.get(name)
            if session is not None and session.num_swallowed:
                self.disconnect(name)
            if not node.up:
                self._revive(name)

    def stall(self, text: str, *, for_s: float) -> None:
        """The node's process stands still for a while."""
        node = self.nodes[self.name(text)]
        node.stall()
        self.clock.after(for_s, node.go_on)

    def operator(self, text: str, command: Literal["pause", "resume", "leave"]) -> None:
        """The node's own operator says something."""
        self.nodes[self.name(text)].feed(LocalOperator(command))

    def drop(self, text: str, *, after: type[FromNode]) -> None:
        """Crash the node for good right after it said a message of this kind."""
        name = self.name(text)

        def watch(sender: bytes, message: FromNode) -> None:
            if sender == name and isinstance(message, after):
                self.clock.after(0.0, lambda: self.crash_node(text))

        self._watchers.append(watch)

    def lie(self, event: CoordinatorEvent) -> None:
        """Let anything be said to the coordinator in anybody's name."""
        self._tell_coordinator(event)

    # ---- carrying -----------------------------------------------------------------------------

    def _tell_coordinator(self, event: CoordinatorEvent) -> None:
        self.invariants.told(event)
        if self.traced:
            self.trace.update(f"{self.clock.now!r} {event!r}\n".encode())
        self.coordinator.feed(event)
        self.invariants.check()

    def to_coordinator(self, node: NodeHost, message: FromNode) -> None:
        if isinstance(message, Ready):
            self.invariants.ready(message)
        for watch in self._watchers:
            watch(node.name, message)
        session = self.sessions.get(node.name)
        if session is None:
            return
        data = encode(message, max_bytes=MAX_FROM_COORDINATOR_BYTES)

        def deliver() -> None:
            said = decode(data, Control, max_bytes=MAX_FROM_COORDINATOR_BYTES)
            if isinstance(said, FromNode):
                self._tell_coordinator(Said(node.name, said))

        self.post.carry(session, "up", deliver)

    def to_node(self, name: bytes, message: FromCoordinator) -> None:
        session = self.sessions.get(name)
        if session is None:
            return
        data = encode(message, max_bytes=MAX_FROM_COORDINATOR_BYTES)

        def deliver() -> None:
            heard = decode(data, Control, max_bytes=MAX_FROM_COORDINATOR_BYTES)
            if isinstance(heard, FromCoordinator):
                self.nodes[name].hear(heard)

        self.post.carry(session, "down", deliver)

    def download(self, node: NodeHost, digest: bytes) -> None:
        """A model on its way to a node; lost with the session (the node asks again)."""
        session = self.sessions.get(node.name)
        if session is None or digest not in self.coordinator.models:
            return
        num_bytes = self.coordinator.models[digest].nbytes
        self.post.carry(session, "down", lambda: node.model_here(digest), num_bytes=num_bytes)

    def upload(self, node: NodeHost, upload: Upload) -> None:
        session = self.sessions.get(node.name)
        if session is None:
            return
        self.invariants.uploads(node, upload)
        for old in [s for s, (sender, _) in self.streams.items() if sender is node]:
            del self.streams[old]
        self._num_streams += 1
        stream = self._num_streams
        self.streams[stream] = (node, upload)
        opened = UpdateOpened(
            node.name,
            stream,
            incarnation=upload.incarnation,
            round=upload.round,
            attempt=upload.attempt,
            num_bytes=upload.num_bytes,
            digest=upload.digest,
            manifest_digest=upload.manifest_digest,
            header=upload.header,
        )
        self.post.carry(session, "up", lambda: self._tell_coordinator(opened))

    def receive_update(self, accepted: AcceptUpdate) -> None:
        node, _ = self.streams.get(accepted.stream, (None, None))
        session = self.sessions.get(accepted.node)
        if node is None or session is None or node.outgoing is None:
            return
        update_D = node.outgoing
        if vector_digest(update_D) != accepted.digest:
            return
        arrived = UpdateArrived(
            accepted.node, accepted.stream, accepted.round, accepted.attempt, accepted.digest
        )

        def deliver() -> None:
            key = (accepted.round, accepted.attempt, accepted.node, accepted.digest)
            self.coordinator.spool[key] = update_D
            self._tell_coordinator(arrived)

        self.post.carry(session, "up", deliver, num_bytes=accepted.num_bytes)

    def refuse_update(self, name: bytes, stream: int, reason: str) -> None:
        session = self.sessions.get(name)
        if session is not None:
            refuse = self._of_stream(stream, lambda node: node.refused(reason))
            self.post.carry(session, "down", refuse)

    def acknowledge(self, name: bytes, stream: int, digest: bytes) -> None:
        self.invariants.acknowledged(name, digest)
        session = self.sessions.get(name)
        if session is not None:
            receipt = self._of_stream(stream, lambda node: node.receipt(digest))
            self.post.carry(session, "down", receipt)

    def _of_stream(self, stream: int, deliver: "Callable[[NodeHost], None]") -> Action:
        """Only while the node still sends this stream: what is said of older ones is dropped."""

        def arrive() -> None:
            node, upload = self.streams.pop(stream, (None, None))
            if node is not None and node.uploading is upload:
                deliver(node)

        return arrive

    # ---- running ------------------------------------------------------------------------------

    @property
    def rounds_done(self) -> int:
        """How many rounds are committed."""
        return self.coordinator.machine.rounds[-1].round

    def run(self, *, rounds: int | None = None, seconds: float = 3600.0) -> None:
        """Let things happen until the federation ended, `rounds` are done or the time is over."""
        until = self.clock.now + seconds
        while self.coordinator.ended is None:
            if rounds is not None and self.rounds_done >= rounds:
                return
            due = self.clock.next_at
            if due is None or due > until:
                self.clock.now = until
                return
            self.clock.step()
            self.invariants.check()
