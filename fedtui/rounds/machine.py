"""The shape of every machine: events and time in, effects out.

A machine never awaits, logs, reads a clock or calls another party. `handle` is the only mutator.
A *remote* mistake (late, double, forged) yields no effect or a refusal; a *local* one raises
LocalProtocolError and changes nothing. The driver performs all `Persist` effects of a call first,
in one transaction, then the others in order, and sends a `Tick` when `deadline` is due.
"""

from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar

from fedtui.crypto.keys import PublicIdentity
from fedtui.rounds.figures import Figure
from fedtui.rounds.masking_steps import Journal, Prepare, Prepared
from fedtui.rounds.records import Record
from fedtui.rounds.suspicion import GroupSeen
from fedtui.secagg.grouped import Grouped
from fedtui.wire.messages import FromCoordinator, FromNode, ModelRef, Role, UpdateHeader

E_contra = TypeVar("E_contra", contravariant=True)
F = TypeVar("F")

NodeId = bytes


class Machine(Protocol[E_contra, F]):
    """What drivers need to know of a machine."""

    @property
    def deadline(self) -> float | None:
        """When a Tick is due, in seconds of the driver's clock; None if nothing is awaited."""

    def handle(self, event: E_contra, now: float) -> list[F]: ...


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


# ---- the coordinator's side -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Joined:
    """An enrolled node is connected and has consented to the plan.

    `keys` are those that it proved; `not_before` is what its certificate says. Masked rounds need
    both. `declared` is what its operator declares, as names and values.
    """

    node: NodeId
    role: Role
    keys: PublicIdentity | None = None
    not_before: int = 0
    declared: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Left:
    """The node's session ended; `for_good` if it left or was put out, `why` in a few words."""

    node: NodeId
    for_good: bool = False
    why: str = "left the federation"


@dataclass(frozen=True, slots=True)
class Said:
    """A control message of an authenticated node whose role allows it."""

    node: NodeId
    message: FromNode


@dataclass(frozen=True, slots=True)
class UpdateOpened:
    """A node wants to send an update: of this attempt, size and digest."""

    node: NodeId
    stream: int
    incarnation: int
    round: int
    attempt: int
    num_bytes: int
    digest: bytes
    manifest_digest: bytes
    header: UpdateHeader | None


@dataclass(frozen=True, slots=True)
class UpdateArrived:
    """An accepted update is complete, verified, finite (if visible) and synced to disk."""

    node: NodeId
    stream: int
    round: int
    attempt: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class UpdateBroken:
    """An accepted update arrived but holds what cannot be aggregated (NaN, Inf, out of range)."""

    node: NodeId
    stream: int
    round: int
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class Aggregated:
    """The new global model is on disk as `checkpoint`, not yet committed.

    Of masked updates the `sums` come out here, who shared wrongly, and what each group looked like
    (with a reason: not in the model); of visible ones `figures`. `change_bytes`: 0 without any.
    """

    round: int
    attempt: int
    model: ModelRef
    checkpoint: str
    sums: dict[str, float] | None = None
    liars: tuple[NodeId, ...] = ()
    change_bytes: int = 0
    figures: tuple[Figure, ...] = ()
    groups: tuple[GroupSeen, ...] = ()


@dataclass(frozen=True, slots=True)
class AggregationFailed:
    round: int
    attempt: int
    reason: str
    groups: tuple[GroupSeen, ...] = ()


@dataclass(frozen=True, slots=True)
class Operator:
    """What the coordinator's operator asks for; "next" is a round now, with those who are here."""

    command: Literal["pause", "resume", "stop", "next"]
    by: str = "operator"


CoordinatorEvent = (
    Joined
    | Left
    | Said
    | UpdateOpened
    | UpdateArrived
    | UpdateBroken
    | Aggregated
    | AggregationFailed
    | Operator
    | Tick
)


@dataclass(frozen=True, slots=True)
class Persist:
    """Make this durable before any other effect of the same call is performed."""

    record: Record


@dataclass(frozen=True, slots=True)
class Send:
    """Queue a message for a node; dropped if the node is away (it will be told again)."""

    node: NodeId
    message: FromCoordinator


@dataclass(frozen=True, slots=True)
class AcceptUpdate:
    """Let the node's stream through, into the spool."""

    node: NodeId
    stream: int
    round: int
    attempt: int
    num_bytes: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class RefuseUpdate:
    """Refuse a stream; only the one that offered this `digest`, if one is given."""

    node: NodeId
    stream: int
    code: int
    reason: str
    digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Send the receipt: the update is durable and counted."""

    node: NodeId
    stream: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Contribution:
    """One spooled update, its weight (an integer from 1), and what it says for its strategy."""

    node: NodeId
    digest: bytes
    weight: int
    scalars: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Combine exactly these spooled updates on top of `base` into the model after `round`.

    Under masks their weights say nothing, and `opener` recovers what unmasks their sum.
    """

    round: int
    attempt: int
    base: ModelRef
    contributions: tuple[Contribution, ...]
    opener: Grouped | None = None


@dataclass(frozen=True, slots=True)
class Discard:
    """The attempt is over: its spooled updates may be deleted (all of them if `round` is 0)."""

    round: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The federation is over."""

    reason: str


CoordinatorEffect = (
    Persist | Send | AcceptUpdate | RefuseUpdate | Acknowledge | Aggregate | Discard | Finished
)


# ---- the participant's side -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heard:
    """A control message of the coordinator, on an authenticated session."""

    message: FromCoordinator


@dataclass(frozen=True, slots=True)
class Connected:
    """A session with consent stands (again): what was under way is said again."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    pass


@dataclass(frozen=True, slots=True)
class ModelHere:
    """The global model with this digest is on this machine's disk, verified."""

    digest: bytes


@dataclass(frozen=True, slots=True)
class Trained:
    """Training is done; the update is a file of `num_bytes`, finite, with this digest."""

    round: int
    attempt: int
    digest: bytes
    num_bytes: int
    header: UpdateHeader


@dataclass(frozen=True, slots=True)
class TrainerProgressed:
    round: int
    attempt: int
    fraction: float


@dataclass(frozen=True, slots=True)
class Measured:
    """The held-out or test examples were evaluated with the model after `round`."""

    round: int
    sums: dict[str, float]


@dataclass(frozen=True, slots=True)
class JobFailed:
    """The trainer could not do what was asked for this round."""

    round: int
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class UpdateAcknowledged:
    """The coordinator's receipt for the update under way."""

    digest: bytes


@dataclass(frozen=True, slots=True)
class UpdateRefused:
    """The coordinator does not take it."""

    reason: str


@dataclass(frozen=True, slots=True)
class UploadFailed:
    """The update cannot leave this machine, by its own fault; `lost`: it is no longer there."""

    reason: str
    lost: bool = False


@dataclass(frozen=True, slots=True)
class LocalOperator:
    """What the node's own operator asks for."""

    command: Literal["pause", "resume", "leave"]


JobReport = (
    ModelHere | Trained | Prepared | TrainerProgressed | Measured | JobFailed | UploadFailed
)
ParticipantEvent = (
    Heard
    | Connected
    | Disconnected
    | JobReport
    | UpdateAcknowledged
    | UpdateRefused
    | LocalOperator
    | Tick
)


@dataclass(frozen=True, slots=True)
class Say:
    """Queue a message for the coordinator; dropped while there is no session."""

    message: FromNode


@dataclass(frozen=True, slots=True)
class FetchModel:
    """Get this model from the coordinator unless it is here already; answer with ModelHere."""

    model: ModelRef


@dataclass(frozen=True, slots=True)
class Train:
    round: int
    attempt: int
    model: ModelRef
    within_s: float | None = None  # what fits into so long, if the plan takes partial work


@dataclass(frozen=True, slots=True)
class Measure:
    """Evaluate this model on the node's held-out or test examples; answer with Measured."""

    round: int
    model: ModelRef


@dataclass(frozen=True, slots=True)
class CancelJob:
    """Stop what the trainer does; no answer is expected."""


@dataclass(frozen=True, slots=True)
class Note:
    """Write into the ledger, synced, before anything of it leaves: what leaves, in which form."""

    round: int
    attempt: int
    what: str
    form: str
    num_bytes: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Upload:
    """Open (or go on with) the bulk stream of the update; of a masked one if it has no header."""

    incarnation: int
    round: int
    attempt: int
    num_bytes: int
    digest: bytes
    manifest_digest: bytes
    header: UpdateHeader | None


@dataclass(frozen=True, slots=True)
class StopUpload:
    """Abandon the stream; the update stays, another attempt of the round may want it."""


@dataclass(frozen=True, slots=True)
class DropUpdate:
    """Delete the update: its round is over."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Something the node's operator should see."""

    level: Literal["info", "warning"]
    text: str


ParticipantEffect = (
    Say
    | FetchModel
    | Train
    | Prepare
    | Measure
    | CancelJob
    | Note
    | Journal
    | Upload
    | StopUpload
    | DropUpdate
    | Tell
)
