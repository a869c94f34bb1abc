"""Who may do what: the one table (role, state, message kind, phase) -> allow.

What the table does not name is denied. The service's dispatcher asks it for every message, before
anything else looks at it; test E4 walks the whole cross product. `Roster` is the view of the nodes
table in memory: the store shows it every change right after the commit, before the caller of the
change goes on, so the dispatcher's synchronous question is never behind what was acknowledged.

A message kind is the name of its struct in fedtui.wire.messages; bulk openings and fetches carry
what they are about: "Open.update", "Fetch.plan", "Fetch.model". A phase is the name of a member of
fedtui.rounds.federation.Phase. What may have crossed a change of phase on its way is not denied
for being late: the machines drop it or refuse it with a reason. Once the federation has ended
there is nothing left that it could be late for.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal, get_args

import msgspec

from fedtui.rounds.federation import Phase
from fedtui.wire.messages import BulkMessage, Fetch, FromNode, Open, Role, SessionMessage

State = Literal["pending", "enrolled", "expelled", "left", "rotated"]

ROLES: tuple[Role, ...] = get_args(Role)
STATES: tuple[State, ...] = get_args(State)
PHASES = tuple(phase.name for phase in Phase)

_ALWAYS = frozenset(PHASES)
_LIVE = _ALWAYS - {Phase.ENDED.name}

# What keeps a session alive and lets a node read what it is asked to consent to.
_SESSION = {
    "SessionReady": _ALWAYS,
    "Echo": _ALWAYS,
    "EchoReply": _ALWAYS,
    "Fetch.plan": _ALWAYS,
    "Accept": _ALWAYS,  # of the bulk streams that the coordinator opens
    "Refuse": _ALWAYS,
    "Receipt": _ALWAYS,
    "Cancel": _ALWAYS,
    "Leaving": _ALWAYS,
}
_MEMBER = _SESSION | {"Away": _LIVE, "RotateKey": _ALWAYS}
_PARTICIPANT = _MEMBER | {
    "Fetch.model": _ALWAYS,
    "Accepting": _LIVE,
    "Declining": _LIVE,
    "Progress": _LIVE,
    "Open.update": _LIVE,
    "Evaluation": _LIVE,
    "Ready": _LIVE,
    "Shares": _LIVE,
    "Open.masked": _LIVE,
    "MaskedSums": _LIVE,
    "Vote": _LIVE,
    "Reveal": _LIVE,
}
_EVALUATOR = _MEMBER | {"Fetch.model": _ALWAYS, "Evaluation": _LIVE}

TABLE: Mapping[tuple[str, str], Mapping[str, frozenset[str]]] = {
    ("participant", "pending"): _SESSION,
    ("evaluator", "pending"): _SESSION,
    ("observer", "pending"): _SESSION,
    ("participant", "enrolled"): _PARTICIPANT,
    ("evaluator", "enrolled"): _EVALUATOR,
    ("observer", "enrolled"): _MEMBER,
}
_NOWHERE: Mapping[str, frozenset[str]] = {}


def allowed(role: str, state: str, message_kind: str, phase: str) -> bool:
    """Whether a node of this role and state may say this now."""
    return phase in TABLE.get((role, state), _NOWHERE).get(message_kind, frozenset())


def kind_of(message: FromNode | BulkMessage | SessionMessage) -> str:
    """The message kind that the table speaks of."""
    name = type(message).__name__
    return f"{name}.{message.kind}" if isinstance(message, Open | Fetch) else name


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the nodes table. Times in UTC seconds; `invite` is the id of the one it burnt."""

    node_id: bytes
    x25519: bytes
    ed25519: bytes
    label: str
    role: Role
    state: State
    address: str
    invite: bytes | None
    created: float
    approved_by: str | None
    revoked_at: float | None
    last_seen: float | None


class Roster:
    """All nodes ever seen, by id, as last committed. Safe to read from any thread."""

    def __init__(self, members: Iterable[Member] = ()) -> None:
        self._members: dict[bytes, Member] = {member.node_id: member for member in members}

    def show(self, changed: Mapping[bytes, Member]) -> None:
        """Take over committed changes; readers see all of them or none."""
        self._members = self._members | dict(changed)

    @property
    def members(self) -> Mapping[bytes, Member]:
        """Every node, whatever its state."""
        return MappingProxyType(self._members)

    def get(self, node_id: bytes) -> Member | None:
        return self._members.get(node_id)

    def enrolled(self, role: Role | None = None) -> frozenset[bytes]:
        """Who is enrolled now, with this role if one is given."""
        return frozenset(
            member.node_id
            for member in self._members.values()
            if member.state == "enrolled" and role in {None, member.role}
        )

    def allows(self, node_id: bytes, message_kind: str, phase: str) -> bool:
        """Whether this node may say this now; a node nobody knows may say nothing."""
        member = self._members.get(node_id)
        return member is not None and allowed(member.role, member.state, message_kind, phase)
