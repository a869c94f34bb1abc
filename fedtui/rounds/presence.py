"""Who is here: the connected, consenting nodes, and what the federation needs to know of each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fedtui.rounds.attempt import Peer
from fedtui.rounds.machine import CoordinatorEvent, Joined, Left, NodeId, Said
from fedtui.wire.messages import Away, Role


@dataclass(slots=True)
class Presence:
    """One node that is here; `away` if its operator paused it, `declared` what it says it is."""

    role: Role
    away: bool = False
    peer: Peer | None = None
    declared: Mapping[str, str] = field(default_factory=dict)


class Present(dict[NodeId, Presence]):
    """All nodes that are here, and evaluators that left a moment ago."""

    def __init__(self) -> None:
        super().__init__()
        self.num_available = 0  # len(available), kept: it is asked at every event
        self._gone: dict[NodeId, float] = {}  # evaluators: until when they may come back

    def note(self, event: CoordinatorEvent, until: float) -> None:
        """Follow an event; whoever leaves now is expected back until then."""
        if not isinstance(event, Joined | Left | Said):
            return
        before = self._is_available(event.node)
        self._follow(event, until)
        self.num_available += self._is_available(event.node) - before

    def _is_available(self, node: NodeId) -> bool:
        here = self.get(node)
        return here is not None and here.role == "participant" and not here.away

    def _follow(self, event: Joined | Left | Said, until: float) -> None:
        match event:
            case Joined(node=node, role=role, keys=keys, not_before=not_before):
                peer = Peer(keys, not_before) if keys else None
                self[node] = Presence(role, peer=peer, declared=dict(event.declared))
                self._gone.pop(node, None)
            case Left(node=node, for_good=for_good):
                left = self.pop(node, None)
                if left is not None and left.role == "evaluator" and not for_good:
                    self._gone[node] = until
                elif for_good:
                    self._gone.pop(node, None)
            case Said(node=node, message=Away(away=away)) if node in self:
                self[node].away = away
            case _:
                pass

    @property
    def available(self) -> list[NodeId]:
        """Participants that can be selected, sorted."""
        return sorted(node for node in self if self._is_available(node))

    @property
    def declared(self) -> dict[NodeId, Mapping[str, str]]:
        """What each of those declares of itself."""
        return {node: self[node].declared for node in self.available}

    @property
    def evaluators(self) -> set[NodeId]:
        return {n for n, p in self.items() if p.role == "evaluator" and not p.away}

    def expected_evaluators(self, now: float) -> dict[NodeId, float]:
        """Evaluators without a session that may be back in time, and until when."""
        self._gone = {node: until for node, until in self._gone.items() if until > now}
        return dict(self._gone)

    def peers(self, nodes: Iterable[NodeId]) -> dict[NodeId, Peer]:
        """What masked rounds need of these nodes, as far as it is known."""
        known = {node: self[node].peer for node in nodes if node in self}
        return {node: peer for node, peer in known.items() if peer is not None}
