"""What a coordinator is doing, as its operator's screen sees it, and what may be asked of it.

`Board` is all of it: frozen, free of secrets and of every value that secure aggregation hides.
Labels and addresses of nodes are strangers' texts: sanitised before they got here, and drawn
without markup all the same. Times are UTC seconds, `..._s` durations in seconds. What is counted
"in this life" begins with the coordinator's process; the rest is read from its database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from fedtui.status.parts import Part

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Role = Literal["participant", "evaluator", "observer"]  # as in fedtui.wire.messages
NodePhase = Literal[
    "asks",
    "away",
    "joining",
    "paused",
    "waiting",
    "asked",
    "download",
    "train",
    "ready",
    "share",
    "mask",
    "upload",
    "delivered",
    "vote",
    "reveal",
    "answered",
    "evaluate",
    "gone",
    "declined",
    "lost",
    "out",
]
InviteState = Literal["open", "spent", "expired", "revoked"]

MAX_NODES = 500
MAX_ROUNDS = 500
MAX_ALARMS = 100
MAX_AWAITED = 12


class NodeRow(Part, frozen=True):
    """One node. `phase` says where it stands in the round, `since` when that began.

    `chosen` and `counted` are rounds, over the federation's whole life; `late` and `rejected`
    (updates) and the bytes are of this life. `weight` is what its update of this round counts;
    None if there is none yet, or if nobody may see it. `length` and `cosine` (to the median of
    all) are of its newest update that counted, None likewise. `words` are of nodes that ask only.
    Of the newest masked rounds in groups: in how many it was, in how many its group was bad, and
    whether that is more than chance explains (`suspect`).
    """

    fingerprint: str
    label: str
    role: str
    state: str
    phase: NodePhase
    reason: str = ""
    fraction: float = 0.0
    since: float = 0.0
    connected: bool = False
    address: str = ""
    created: float = 0.0
    approved_by: str = ""
    last_seen: float | None = None
    round_trip_s: float | None = None
    bytes_up: int = 0
    bytes_down: int = 0
    chosen: int = 0
    counted: int = 0
    late: int = 0
    rejected: int = 0
    weight: float | None = None
    length: float | None = None
    cosine: float | None = None
    groups: int = 0
    bad_groups: int = 0
    suspect: bool = False
    words: tuple[str, ...] = ()


class RoundLine(Part, frozen=True):
    """One committed round. `score` is None if nobody measured its model.

    Bytes count whole frames of all sessions, from the start of a round to the start of the next;
    they are None for rounds of an earlier life of the process. `dropped` of the `cohort` are not
    in the sum; `lost` names at most MAX_AWAITED of them.

    Of masked rounds: `ready` nodes were in the roster, `threshold` shares open a secret, and if
    at most `colluders` nodes are in league with the coordinator, they can learn sums only, each
    over at least `num_honest` honest nodes.

    Of visible ones: the `smallest`, `median` and `largest` share of the sum, and how many nodes of
    equal weight would be as spread (`alike`); 0 where nobody sees them, or kept none.

    `rolled_back` says why its model did not pass the gate, where it did not.
    """

    round: int
    attempt: int
    seconds: float
    score: float | None
    participants: int
    dropped: int
    bytes_up: int | None
    bytes_down: int | None
    model: str
    cohort: int = 0
    lost: tuple[str, ...] = ()
    masked: bool = False
    ready: int = 0
    threshold: int = 0
    colluders: int = 0
    num_honest: int = 0
    smallest: float = 0.0
    median: float = 0.0
    largest: float = 0.0
    alike: float = 0.0
    rolled_back: str = ""


class Masks(Part, frozen=True):
    """Secure aggregation in the round under way: nodes with keys, and how many must stay.

    `needed` nodes open the sum; `colluders` of them together still learn nothing of another's.
    """

    keys: int
    needed: int
    colluders: int


class Health(Part, frozen=True):
    """The round under way, and what went wrong in this life.

    `deadline_at` is when the coordinator stops waiting, None if it waits for nobody's answer.
    `awaited` names at most MAX_AWAITED of `num_awaited`. `failures` are the last failed attempts
    in a row; `unfit` updates were refused for what they are, `turned_away` connections before
    anybody was asked who they are.
    """

    phase: str = ""
    deadline_at: float | None = None
    awaited: tuple[str, ...] = ()
    num_awaited: int = 0
    answered: int = 0
    cohort: int = 0
    masks: Masks | None = None
    failures: tuple[str, ...] = ()
    attempts_failed: int = 0
    late: int = 0
    unfit: int = 0
    turned_away: int = 0


class Alarm(Part, frozen=True):
    """Something that the operator should know; `number` counts those of this life from 1."""

    number: int
    at: float
    kind: str
    text: str


class Epsilons(Part, frozen=True):
    """What the node that spent most has spent under [dp], by round `round`.

    `guaranteed` counts on the honest nodes that every sum has at least, `realised` on those that
    there were; None is no bound. `cap` is the plan's. `wrong` says why nothing is known.
    """

    round: int
    delta: float
    guaranteed: float | None = None
    realised: float | None = None
    cap: float | None = None
    wrong: str = ""

    def text(self) -> str:
        """In a line."""
        if self.wrong:
            return f"epsilon is not known: {self.wrong}"
        sure, real = (
            "no bound" if one is None else f"{one:.4g}" for one in (self.guaranteed, self.realised)
        )
        cap = f" of at most {self.cap:g}" if self.cap is not None else ""
        return (
            f"epsilon {sure}{cap} guaranteed, {real} realised, by round {self.round} at delta "
            f"{self.delta:g}"
        )


class Board(Part, frozen=True):
    """All that the screen draws. `text` is the state as one sentence.

    `nodes` are at most MAX_NODES of `num_nodes`, those at work first, `rounds` the newest
    MAX_ROUNDS. `invites_changed` grows with every change of the list of invites. Bytes saved are
    those that shorter updates, and changes in place of models, spared in this life.
    """

    at: float
    federation: str
    task: str
    metric: str
    higher_is_better: bool
    target: float | None
    maximum: int
    state: str
    text: str
    round: int
    attempt: int
    present: int
    needed: int
    connected: int
    pending: int
    paused: bool
    ended: str | None
    masked: bool
    privacy: str
    fingerprint: str
    words: tuple[str, ...]
    address: str
    pid: int
    incarnation: int
    started_at: float
    version: str = ""
    degraded: str | None = None
    can_begin: bool = False
    nodes: tuple[NodeRow, ...] = ()
    num_nodes: int = 0
    health: Health = Health()
    rounds: tuple[RoundLine, ...] = ()
    num_rounds: int = 0
    best_round: int = 0
    best_score: float | None = None
    alarms: tuple[Alarm, ...] = ()
    invites_changed: int = 0
    saved_up: int = 0
    saved_down: int = 0
    spent: Epsilons | None = None


class InviteLine(Part, frozen=True):
    """An invite as it is kept: never its text, which was shown once."""

    id: str
    role: str
    label: str
    state: InviteState
    uses_left: int
    expires: float
    auto_approve: bool


class MadeInvite(Part, frozen=True):
    """What `invite` prints. The text is shown once; only a hash of its secret is kept."""

    invite: str
    id: str
    expires: float
    uses: int
    role: str
    addresses: tuple[str, ...]

    def __repr__(self) -> str:
        """Without `invite`: a representation ends up in logs."""
        return f"MadeInvite(id={self.id!r})"


class InviteWish(Part, frozen=True):
    """Which invite is wanted; `hours` None takes the configured default."""

    role: Role = "participant"
    label: str = ""
    hours: float | None = None
    uses: int = 1
    auto_approve: bool = False


class BoardSeen(Part, frozen=True):
    """How things stand."""

    board: Board


class InvitesSeen(Part, frozen=True):
    """Every invite, newest first."""

    invites: tuple[InviteLine, ...]


class Happened(Part, frozen=True):
    """Something happened; `level` is that of the events' list."""

    at: float
    level: Literal["info", "ok", "warning", "error"]
    source: str
    text: str


class ConnectionLost(Part, frozen=True):
    """Nobody answers any more since `at`; the watch goes on trying."""

    at: float
    text: str


Seen = BoardSeen | InvitesSeen | Happened | ConnectionLost


class CoordinatorControls(Protocol):
    """What a screen may ask of a coordinator. Every method may raise `fedtui.status.Refused`.

    A method that returns a text returns a sentence about what was done.
    """

    def watch(self) -> AsyncIterator[Seen]:
        """How things stand now and whenever that changes, across restarts, until closed."""
        ...

    async def approve(self, fingerprint: str) -> str: ...

    async def reject(self, fingerprint: str) -> str:
        """Turn a node away that waits for approval; its key cannot ask again."""
        ...

    async def revoke(self, fingerprint: str) -> str:
        """Put a node out, at once and for good."""
        ...

    async def evict(self, fingerprint: str) -> str:
        """Put a node out of the round under way; it may come back for the next."""
        ...

    async def invite(self, wish: InviteWish) -> MadeInvite: ...

    async def revoke_invite(self, invite_id: str) -> str: ...

    async def pause(self) -> str: ...

    async def resume(self) -> str: ...

    async def next_round(self) -> str:
        """Begin a round with those who are here, without waiting for more."""
        ...

    async def stop(self) -> str:
        """Stop the program; the federation goes on with its next start."""
        ...
