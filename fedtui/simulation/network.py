"""The post office: sessions between the coordinator and nodes, with latency, loss and partitions.

A session is what a websocket is: in order and without loss while it lasts, and when it breaks, all
that is under way on it is lost. `disorder` and `duplicates` go beyond what a session can do; they
are there to show that the machines do not rely on it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from fedtui.simulation.clock import Clock

Action = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How the network behaves. Seconds; chances between 0 and 1."""

    latency_s: tuple[float, float] = (0.001, 0.01)
    duplicates: float = 0.0
    disorder_s: float = 0.0
    bytes_per_s: float = 1e8


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One node's way to the coordinator: seconds one way, and bytes per second each way.

    A delay is `latency_s` and up to `jitter_s` more.
    """

    latency_s: float
    jitter_s: float
    up_bytes_per_s: float
    down_bytes_per_s: float


@dataclass(slots=True)
class Session:
    """One connection's life; `alive` ends everything that travels on it."""

    number: int
    node: bytes
    alive: bool = True
    num_swallowed: int = 0
    last_arrival: dict[str, float] = field(default_factory=dict)
    free_at: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class PostOffice:
    """Delivers actions over sessions after the network's delay.

    Nodes without a link of their own have the weather's. `carried` counts bytes by node: up, down;
    whoever reports them begins anew. `watched` counts on, of nodes that are in it.
    """

    clock: Clock
    rng: np.random.Generator
    weather: Weather = Weather()
    links: dict[bytes, Link] = field(default_factory=dict)
    carried: dict[bytes, list[int]] = field(default_factory=dict)
    watched: dict[bytes, list[int]] = field(default_factory=dict)
    blocked: set[tuple[bytes, str]] = field(default_factory=set)
    num_delivered: int = 0
    num_lost: int = 0

    def is_cut(self, node: bytes) -> bool:
        """Whether a new session with the node cannot come about."""
        return (node, "up") in self.blocked or (node, "down") in self.blocked

    def carry(
        self, session: Session, direction: str, deliver: Action, *, num_bytes: int = 0
    ) -> None:
        """Bring one message (or a stream) of `num_bytes` to the other side of a session."""
        self.carried.setdefault(session.node, [0, 0])[direction == "down"] += num_bytes
        if session.node in self.watched:
            self.watched[session.node][direction == "down"] += num_bytes
        arrival = self._arrival(session, direction, num_bytes)
        if self.weather.disorder_s:
            arrival += float(self.rng.uniform(0, self.weather.disorder_s))
        else:
            arrival = max(arrival, session.last_arrival.get(direction, 0.0))
            session.last_arrival[direction] = arrival
        copies = 2 if self.rng.random() < self.weather.duplicates else 1
        for _ in range(copies):
            self.clock.at(arrival, lambda: self._arrive(session, direction, deliver))

    def _arrival(self, session: Session, direction: str, num_bytes: int) -> float:
        """When it is there: a node's own line carries one thing after the other."""
        link = self.links.get(session.node)
        if link is None:
            low, high = self.weather.latency_s
            delay_s = float(self.rng.uniform(low, high)) + num_bytes / self.weather.bytes_per_s
            return self.clock.now + delay_s
        bytes_per_s = link.up_bytes_per_s if direction == "up" else link.down_bytes_per_s
        begun = max(self.clock.now, session.free_at.get(direction, 0.0))
        session.free_at[direction] = sent = begun + num_bytes / bytes_per_s
        return sent + link.latency_s + float(self.rng.random()) * link.jitter_s

    def _arrive(self, session: Session, direction: str, deliver: Action) -> None:
        if not session.alive:
            self.num_lost += 1
            return
        if (session.node, direction) in self.blocked:
            session.num_swallowed += 1
            self.num_lost += 1
            return
        self.num_delivered += 1
        deliver()
