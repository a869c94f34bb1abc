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

from collections.abc import Callable
from hashlib import blake2b
from typing import Literal

import numpy as np

from fedtui.learning.params import Manifest, TensorSpec
from fedtui.rounds.machine import CoordinatorEvent, Left, LocalOperator, Measure, Train
from fedtui.rounds.plan import FederationSection, Plan, PrivacySection, TaskSection
from fedtui.simulation import work
from fedtui.simulation.federation import Setting, SimulatedFederation
from fedtui.simulation.invariants import Invariants
from fedtui.simulation.network import Weather
from fedtui.simulation.node_host import NodeHost, vector_digest
from fedtui.wire.messages import FromNode, Role

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


class _MadeUp:
    """Work that is made up: random updates that follow from seed, round and node."""

    def __init__(self, seed: int, num_values: int) -> None:
        self.measure: Callable[[NodeHost, int], dict[str, float]] = improving
        self._seed = seed
        self._num_values = num_values

    def begin(self, node: NodeHost, asked: Train | Measure) -> "_Sketch":
        return _Sketch(self, node, asked)

    def done(self, node: NodeHost, asked: Train | Measure) -> work.Trained | work.Measured:
        """The outcome, when it is asked for."""
        if isinstance(asked, Measure):
            return work.Measured(self.measure(node, asked.round))
        seed = [self._seed, asked.round, int.from_bytes(node.name[:4], "little")]
        values = np.random.default_rng(seed).normal(0, 0.1, self._num_values)
        update_D = values.astype(np.float32)
        sums = {"loss_sum": 1.0 * node.num_examples, "examples": float(node.num_examples)}
        if node.training_sums is not None:
            sums = node.training_sums
        return work.sent(update_D, node.num_examples, sums, vector_digest(update_D))


class _Sketch:
    """One job of a world of tests."""

    def __init__(self, of: _MadeUp, node: NodeHost, asked: Train | Measure) -> None:
        self._of = of
        self._node = node
        self._asked = asked

    def finish(self) -> work.Trained | work.Measured:
        return self._of.done(self._node, self._asked)

    def forget(self) -> None:
        """Nothing was begun."""


class World(SimulatedFederation):
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
        self.made_up = _MadeUp(seed, num_values)
        setting = Setting(
            seed=seed,
            plan=plan or small_plan(),
            manifest=Manifest(tensors=(TensorSpec("w", (num_values,)),)),
            work=self.made_up,
            weather=weather or Weather(),
        )
        self._watchers: list[Callable[[bytes, FromNode], None]] = []
        self.traced = False
        self.trace = blake2b(digest_size=16)
        self.invariants = Invariants(self)
        super().__init__(setting, self.invariants)
        self.coordinator.create(self.rng.normal(0, 1, num_values).astype(np.float32))
        self.join(num_nodes)

    @property
    def measure(self) -> Callable[[NodeHost, int], dict[str, float]]:
        """What nodes measure; a test may set another one."""
        return self.made_up.measure

    @measure.setter
    def measure(self, measure: Callable[[NodeHost, int], dict[str, float]]) -> None:
        self.made_up.measure = measure

    # ---- who is here --------------------------------------------------------------------------

    def join(self, num: int, *, role: Role = "participant") -> list[bytes]:
        """Let `num` new nodes arrive, called n1, n2, ...; return their ids."""
        names = []
        for _ in range(num):
            node = self.admit(
                role=role,
                num_examples=int(self.rng.integers(1, 500)),
                train_s=float(self.rng.uniform(0.5, 2.0)),
            )
            self.connect_soon(node.name)
            names.append(node.name)
        return names

    def revoke(self, text: str) -> None:
        """The operator expels a node: out at once, and it cannot come back."""
        name = self.name(text)
        self.revoked.add(name)
        session = self.sessions.pop(name, None)
        if session is not None:
            session.alive = False
            self.tell_coordinator(Left(name, for_good=True))
            self.nodes[name].disconnected()

    # ---- faults -------------------------------------------------------------------------------

    def crash_node(self, text: str, *, back_after_s: float | None = None) -> None:
        self.crash(self.name(text), back_after_s=back_after_s)

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
                self.revive(name)

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
        self.tell_coordinator(event)

    def tell_coordinator(self, event: CoordinatorEvent) -> None:
        if self.traced:
            self.trace.update(f"{self.clock.now!r} {event!r}\n".encode())
        super().tell_coordinator(event)

    def to_coordinator(self, node: NodeHost, message: FromNode) -> None:
        for watch in self._watchers:
            watch(node.name, message)
        super().to_coordinator(node, message)
