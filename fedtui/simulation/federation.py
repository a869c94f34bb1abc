"""SimulatedFederation: a coordinator and its nodes in one process, on a virtual clock.

The very same machines as in the programs, with their messages encoded and decoded on the way; what
is simulated is what lies between and below them: sessions, the network, disks and trainers. Tests
derive from it a world in which everything can go wrong (world.py), simulations a population with
speeds, links and habits (village.py).
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b

import msgspec
import numpy as np

from fedtui.combining.visible import Recipe
from fedtui.crypto.keys import Identity
from fedtui.learning.params import Manifest, Vector
from fedtui.rounds.machine import (
    AcceptUpdate,
    Aggregate,
    Aggregated,
    AggregationFailed,
    CoordinatorEvent,
    Joined,
    Left,
    ParticipantEffect,
    Said,
    UpdateArrived,
    UpdateBroken,
    UpdateOpened,
    Upload,
)
from fedtui.rounds.plan import Plan, plan_hash
from fedtui.simulation.clock import Action, Clock
from fedtui.simulation.coordinator_host import CoordinatorHost
from fedtui.simulation.mixing import Mixer
from fedtui.simulation.network import Link, PostOffice, Session, Weather
from fedtui.simulation.node_host import NodeHost
from fedtui.simulation.sizes import bulk_bytes, control_bytes
from fedtui.simulation.watch import Watch
from fedtui.simulation.work import Work
from fedtui.strategies.base import State
from fedtui.wire.codec import decode, encode
from fedtui.wire.messages import Control, FromCoordinator, FromNode, Role
from fedtui.wire.parts import MAX_FROM_COORDINATOR_BYTES

RECONNECT_S = (0.1, 1.0)
CALM = Weather()
_SENT_KEPT = 4  # a broadcast is of two messages at most: to those who counted, and the others


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setting:
    """What a federation is made of. With `kept` only so much of the past is kept in memory.

    `links` are those of nodes by index; nodes without one have the weather's. `aes`: all nodes'
    processors have it.
    """

    seed: int
    plan: Plan
    manifest: Manifest
    work: Work
    weather: Weather = CALM
    links: Mapping[int, Link] = field(default_factory=dict)
    kept: int | None = None
    aes: bool = False


@cache
def identity(text: str) -> Identity:
    """Keys that follow from a name."""
    return Identity.from_seed(blake2b(text.encode(), digest_size=32).digest())


class SimulatedFederation:
    """One coordinator, its nodes, and what they send each other."""

    def __init__(self, setting: Setting, watch: Watch) -> None:
        self.seed = setting.seed
        self.plan = setting.plan
        self.manifest = setting.manifest
        self.num_values = setting.manifest.num_values
        self.plan_hash = plan_hash(self.plan, self.manifest)
        self.federation_id = blake2b(b"world", digest_size=32).digest()
        self.keys = identity("coordinator")
        self.work = setting.work
        self.watch = watch
        self.kept = setting.kept
        self.aes = setting.aes
        self.clock = Clock()
        self.rng = np.random.default_rng(setting.seed)
        self.post = PostOffice(self.clock, self.rng, setting.weather)
        self.nodes: dict[bytes, NodeHost] = {}
        self.sessions: dict[bytes, Session] = {}
        self.streams: dict[int, tuple[NodeHost, Upload]] = {}
        self.halted = False
        self.revoked: set[bytes] = set()
        self.offline: set[bytes] = set()
        self._links = setting.links
        self._names: dict[bytes, str] = {}
        self._stream_of: dict[bytes, int] = {}
        self._num_sessions = 0
        self._num_streams = 0
        self._sent: deque[tuple[FromCoordinator, FromCoordinator, int]] = deque(maxlen=_SENT_KEPT)
        self.mixer = Mixer(Recipe.of(self.plan, self.manifest), self.plan)
        self.coordinator = CoordinatorHost(self)

    # ---- who is here --------------------------------------------------------------------------

    def admit(
        self,
        *,
        role: Role = "participant",
        num_examples: int,
        train_s: float,
        declared: tuple[tuple[str, str], ...] = (),
    ) -> NodeHost:
        """A new node, called n1, n2, ... in the order they are admitted; not connected yet."""
        index = len(self.nodes)
        text = f"n{index + 1}"
        name = self.name(text)
        self._names[name] = text
        node = NodeHost(self, name, role, index, num_examples, train_s, declared)
        self.nodes[name] = node
        if index in self._links:
            self.post.links[name] = self._links[index]
        return node

    @staticmethod
    def name(text: str) -> bytes:
        """The 32-byte id of the node called `text`."""
        return identity(text).id

    def called(self, name: bytes) -> str:
        """What the node with this id is called."""
        return self._names[name]

    def identity(self, name: bytes) -> Identity:
        """The keys of a node of this world."""
        return identity(self._names[name])

    # ---- sessions -----------------------------------------------------------------------------

    def connect_soon(self, name: bytes) -> None:
        """The node dials until it has a session."""
        self.clock.after(float(self.rng.uniform(*RECONNECT_S)), lambda: self._connect(name))

    def _connect(self, name: bytes) -> None:
        node = self.nodes[name]
        if not node.up or name in self.sessions or name in self.revoked or name in self.offline:
            return
        if not self.coordinator.up or self.post.is_cut(name):
            self.connect_soon(name)
            return
        self._num_sessions += 1
        self.sessions[name] = Session(self._num_sessions, name)
        node.connected()
        keys = self.identity(name).public
        self.tell_coordinator(Joined(name, node.role, keys, not_before=1, declared=node.declared))

    def disconnect(self, name: bytes) -> None:
        """Break the session; the node tries again soon."""
        session = self.sessions.pop(name, None)
        if session is None:
            return
        session.alive = False
        self.nodes[name].disconnected()
        if self.coordinator.up:
            self.tell_coordinator(Left(name))
        self.connect_soon(name)

    def go_offline(self, name: bytes) -> None:
        """The node's machine is off until `go_online`."""
        self.offline.add(name)
        self.disconnect(name)

    def go_online(self, name: bytes) -> None:
        self.offline.discard(name)
        self.connect_soon(name)

    def crash(self, name: bytes, *, back_after_s: float | None = None) -> None:
        """The node's process dies; it comes back after a while, or never."""
        self.nodes[name].crash()
        self.disconnect(name)
        if back_after_s is not None:
            self.clock.after(back_after_s, lambda: self.revive(name))

    def revive(self, name: bytes) -> None:
        self.nodes[name].restart()
        self.connect_soon(name)

    def coordinator_down(self) -> None:
        """All sessions end with the coordinator's process."""
        for name in list(self.sessions):
            self.disconnect(name)

    # ---- carrying -----------------------------------------------------------------------------

    def tell_coordinator(self, event: CoordinatorEvent) -> None:
        """The coordinator hears this, whoever says it."""
        self.watch.told(event)
        self.coordinator.feed(event)
        self.watch.step()

    def to_coordinator(self, node: NodeHost, message: FromNode) -> None:
        self.watch.said(node, message)
        session = self.sessions.get(node.name)
        if session is None:
            return
        data = encode(message, max_bytes=MAX_FROM_COORDINATOR_BYTES)

        def deliver() -> None:
            said = decode(data, Control, max_bytes=MAX_FROM_COORDINATOR_BYTES)
            if isinstance(said, FromNode):
                self.tell_coordinator(Said(node.name, said))

        self.post.carry(session, "up", deliver, num_bytes=control_bytes(len(data)))

    def to_node(self, name: bytes, message: FromCoordinator) -> None:
        session = self.sessions.get(name)
        if session is None:
            return
        heard, num_bytes = self._through_the_wire(message)
        node = self.nodes[name]
        self.post.carry(session, "down", lambda: node.hear(heard), num_bytes=num_bytes)

    def _through_the_wire(self, message: FromCoordinator) -> tuple[FromCoordinator, int]:
        """The message as a node hears it, and its bytes; what many nodes hear is made once."""
        for said, heard, num_bytes in self._sent:
            if said is message:
                return heard, num_bytes
        data = encode(message, max_bytes=MAX_FROM_COORDINATOR_BYTES)
        arrived = decode(data, Control, max_bytes=MAX_FROM_COORDINATOR_BYTES)
        if not isinstance(arrived, FromCoordinator):
            raise msgspec.DecodeError(f"{type(arrived).__name__} is no message of a coordinator")
        self._sent.append((message, arrived, control_bytes(len(data))))
        return self._sent[-1][1:]

    def download(self, node: NodeHost, digest: bytes) -> None:
        """A model on its way to a node; lost with the session (the node asks again)."""
        session = self.sessions.get(node.name)
        if session is None or digest not in self.coordinator.models:
            return
        num_bytes = bulk_bytes(self.coordinator.download_bytes(digest, node.models))

        def flow() -> None:
            self.post.carry(session, "down", lambda: node.model_here(digest), num_bytes=num_bytes)

        self.post.carry(session, "up", flow)

    def upload(self, node: NodeHost, upload: Upload) -> None:
        session = self.sessions.get(node.name)
        if session is None:
            return
        self.watch.uploads(node, upload)
        self.streams.pop(self._stream_of.pop(node.name, 0), None)
        self._num_streams += 1
        stream = self._stream_of[node.name] = self._num_streams
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
        self.post.carry(session, "up", lambda: self.tell_coordinator(opened))

    def receive_update(self, accepted: AcceptUpdate) -> None:
        node, _ = self.streams.get(accepted.stream, (None, None))
        session = self.sessions.get(accepted.node)
        if node is None or session is None or node.outgoing is None:
            return
        parcel = node.outgoing
        if parcel.digest != accepted.digest:
            return
        arrived = UpdateArrived(
            accepted.node, accepted.stream, accepted.round, accepted.attempt, accepted.digest
        )

        broken = UpdateBroken(
            accepted.node, accepted.stream, accepted.round, accepted.attempt, parcel.flaw
        )

        def deliver() -> None:
            if parcel.flaw and not self.plan.masked:
                self.tell_coordinator(broken)
                return
            key = (accepted.round, accepted.attempt, accepted.node, accepted.digest)
            self.coordinator.spool[key] = parcel
            self.tell_coordinator(arrived)

        def flow() -> None:
            self.post.carry(session, "up", deliver, num_bytes=bulk_bytes(accepted.num_bytes))

        self.post.carry(session, "down", flow)

    def refuse_update(self, name: bytes, stream: int, reason: str) -> None:
        session = self.sessions.get(name)
        if session is not None:
            refuse = self._of_stream(stream, lambda node: node.refused(reason))
            self.post.carry(session, "down", refuse)

    def acknowledge(self, name: bytes, stream: int, digest: bytes) -> None:
        self.watch.acknowledged(name, digest)
        session = self.sessions.get(name)
        if session is not None:
            receipt = self._of_stream(stream, lambda node: node.receipt(digest))
            self.post.carry(session, "down", receipt)

    def _of_stream(self, stream: int, deliver: Callable[[NodeHost], None]) -> Action:
        """Only while the node still sends this stream: what is said of older ones is dropped."""

        def arrive() -> None:
            node, upload = self.streams.pop(stream, (None, None))
            if node is not None and node.uploading is upload:
                deliver(node)

        return arrive

    def strikes(self, node: NodeHost, effect: ParticipantEffect) -> bool:
        """Whether the node vanishes instead of doing this, and has done so."""
        del node, effect
        return False

    def remembered(self, effect: Aggregate) -> Aggregated | AggregationFailed | None:
        """What came of it when the run is told again from its journal; None: do it."""
        del effect
        return None

    def kept_model(self, digest: bytes) -> tuple[Vector, State] | None:
        """The model that came of a remembered sum, and its strategy's state, if at hand."""
        del digest
        return None

    def counted(self, node: NodeHost, number: int, *, yes: bool = True) -> None:
        """Whether the node's update of this round counts, as far as the node knows by now."""

    def combined(self, effect: Aggregate, answer: Aggregated | AggregationFailed) -> None:
        """What came of combining updates, now or remembered."""

    # ---- running ------------------------------------------------------------------------------

    @property
    def rounds_done(self) -> int:
        """How many rounds are committed."""
        return self.coordinator.machine.rounds[-1].round

    def run(self, *, rounds: int | None = None, seconds: float = 3600.0) -> None:
        """Let things happen until the federation ended, `rounds` are done or the time is over.

        Whoever finds that nothing can come of it sets `halted`.
        """
        until = self.clock.now + seconds
        while self.coordinator.ended is None and not self.halted:
            if rounds is not None and self.rounds_done >= rounds:
                return
            due = self.clock.next_at
            if due is None or due > until:
                self.clock.now = until
                return
            self.clock.step()
            self.watch.step()
