"""What a node is doing, as every screen sees it: frozen, free of secrets, rebuilt from events.

The daemon keeps one `NodeStatus` and describes each change as an event with the next `seq`. A
screen starts from a snapshot and applies the same events with `reduce`, so it shows exactly what
the daemon knows, however often it was away. `NodeControls` is all that a screen may ask for.

Nothing here holds a key, an invite, a share, a sample or a value of an update. Texts that came
over the network were sanitised before they got here. Times are UTC seconds, `..._s` durations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

State = Literal[
    "idle",
    "connecting",
    "asking",
    "pending",
    "waiting",
    "training",
    "uploading",
    "masking",
    "confirming",
    "evaluating",
    "paused",
    "stopped",
]
Phase = Literal[
    "",
    "selected",
    "download",
    "train",
    "share",
    "mask",
    "upload",
    "confirm",
    "evaluate",
    "aggregate",
]
Level = Literal["info", "warning", "error"]

MAX_SCORES = 256
MAX_TAIL = 32


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of the status. Unknown fields are ignored: an older screen may meet a newer node."""


class Coordinator(_Part, frozen=True):
    """Who this node obeys; `fingerprint` is what both screens show, `pinned_at` when we agreed.

    `formerly` is the fingerprint before its key was rotated, "" if it never was.
    """

    label: str
    address: str
    fingerprint: str
    pinned_at: float = 0.0
    formerly: str = ""


class Leaves(_Part, frozen=True):
    """One kind of thing that leaves this machine: in which form, who can read it, how often."""

    item: str
    form: str
    reader: str
    when: str


class PlanSummary(_Part, frozen=True):
    """What the operator consents to. `plan_hash` is 64 hex digits and covers every word of it.

    `privacy` says in a sentence whether the coordinator sees updates or sums.
    """

    plan_hash: str
    federation: str
    task: str
    metric: str
    target: float | None = None
    max_rounds: int = 0
    strategy: str = ""
    training: str = ""
    model: str = ""
    num_model_bytes: int = 0
    leaves: tuple[Leaves, ...] = ()
    stays: str = ""
    differs: tuple[str, ...] = ()
    privacy: str = ""


class Waiting(_Part, frozen=True):
    """No round runs: `have` nodes are present, `need` must be."""

    have: int
    need: int


class Round(_Part, frozen=True):
    """The round under way here, or the last one; `number` 0 before the first."""

    number: int = 0
    attempt: int = 0
    phase: Phase = ""
    deadline_at: float = 0.0


class Training(_Part, frozen=True):
    """How far local work is; `loss` is None until the trainer told one."""

    fraction: float = 0.0
    epoch: int = 0
    num_epochs: int = 0
    batch: int = 0
    num_batches: int = 0
    loss: float | None = None
    examples_per_s: float = 0.0


class Score(_Part, frozen=True):
    """The combined score of the global model after `round`, as the coordinator reported it."""

    round: int
    metric: str
    score: float
    num_examples: int
    num_nodes: int


class Traffic(_Part, frozen=True):
    """Bytes on the wire since the daemon joined; rates in bytes/s.

    `up_today` is what the ledger announced since midnight UTC: the operator's limit counts it.
    """

    up: int = 0
    down: int = 0
    up_today: int = 0
    up_per_s: float = 0.0
    down_per_s: float = 0.0
    round_trip_s: float | None = None


class LedgerLine(_Part, frozen=True):
    """One entry of the ledger: what left this machine, when, in which form, to whom."""

    at: float
    round: int
    attempt: int
    what: str
    num_bytes: int
    form: str
    receiver: str
    digest: str = ""


class LogLine(_Part, frozen=True):
    """Something that happened and that the operator may want to read."""

    at: float
    level: Level
    text: str


class Problem(_Part, frozen=True):
    """What went wrong and what to do; `code` is a number of errors.py, 0 for a local matter."""

    text: str
    remedy: str = ""
    code: int = 0
    at: float = 0.0


class NodeStatus(_Part, frozen=True):
    """All of it. `seq` counts the events it includes."""

    seq: int = 0
    label: str = ""
    profile: str = ""
    node_id: str = ""
    fingerprint: str = ""
    role: str = "participant"
    version: str = ""
    pid: int = 0
    started_at: float = 0.0
    state: State = "idle"
    sentence: str = "not in a federation: fedtui join"
    coordinator: Coordinator | None = None
    plan: PlanSummary | None = None
    consented: bool = False
    waiting: Waiting | None = None
    round: Round = Round()
    training: Training = Training()
    rounds_counted: int = 0
    scores: tuple[Score, ...] = ()
    traffic: Traffic = Traffic()
    ledger: tuple[LedgerLine, ...] = ()
    log: tuple[LogLine, ...] = ()
    problem: Problem | None = None
    final: bool = False


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="event"):
    """One change. `seq` is one more than that of the event before."""

    seq: int = 0


class StateChanged(_Event, frozen=True):
    state: State
    sentence: str


class Introduced(_Event, frozen=True):
    """How this node calls itself, and the role it asks for."""

    label: str
    role: str


class KeyChanged(_Event, frozen=True):
    """This node's key was rotated: its new id, in hex, and fingerprint."""

    node_id: str
    fingerprint: str


class CoordinatorPinned(_Event, frozen=True):
    coordinator: Coordinator | None


class PlanSeen(_Event, frozen=True):
    plan: PlanSummary | None
    consented: bool


class WaitingFor(_Event, frozen=True):
    waiting: Waiting | None


class RoundMoved(_Event, frozen=True):
    round: Round


class TrainingMoved(_Event, frozen=True):
    training: Training


class RoundCounted(_Event, frozen=True):
    """A round was committed; `counted` says whether this node's update is in it."""

    round: int
    counted: bool


class ScoreSeen(_Event, frozen=True):
    score: Score


class TrafficMeasured(_Event, frozen=True):
    traffic: Traffic


class LedgerWritten(_Event, frozen=True):
    line: LedgerLine


class Logged(_Event, frozen=True):
    line: LogLine


class ProblemSeen(_Event, frozen=True):
    """`problem` None: what was wrong is over."""

    problem: Problem | None


class FederationBegan(_Event, frozen=True):
    """The node is in another federation than before, or found its way back into its own.

    `rounds_counted` of its updates counted so far; what else was shown is of the one before.
    """

    rounds_counted: int = 0


class FederationEnded(_Event, frozen=True):
    """The federation reached its end: the model held here is its result."""


Event = (
    StateChanged
    | Introduced
    | KeyChanged
    | CoordinatorPinned
    | PlanSeen
    | WaitingFor
    | RoundMoved
    | TrainingMoved
    | RoundCounted
    | ScoreSeen
    | TrafficMeasured
    | LedgerWritten
    | Logged
    | ProblemSeen
    | FederationBegan
    | FederationEnded
)


def reduce(state: NodeStatus, event: Event) -> NodeStatus:
    """The status after `event`; an event that `state` already includes changes nothing."""
    if event.seq <= state.seq:
        return state
    return msgspec.structs.replace(_apply(state, event), seq=event.seq)


def _apply(state: NodeStatus, event: Event) -> NodeStatus:
    match event:
        case LedgerWritten(line=entry):
            return msgspec.structs.replace(state, ledger=(*state.ledger, entry)[-MAX_TAIL:])
        case Logged(line=said):
            return msgspec.structs.replace(state, log=(*state.log, said)[-MAX_TAIL:])
        case ScoreSeen(score=score):
            kept = tuple(old for old in state.scores if old.round != score.round)
            return msgspec.structs.replace(state, scores=(*kept, score)[-MAX_SCORES:])
        case RoundCounted(counted=counted):
            return msgspec.structs.replace(
                state, rounds_counted=state.rounds_counted + int(counted)
            )
        case FederationBegan(rounds_counted=so_far):
            return msgspec.structs.replace(
                state,
                rounds_counted=so_far,
                scores=(),
                round=Round(),
                training=Training(),
                final=False,
            )
        case FederationEnded():
            return msgspec.structs.replace(state, final=True)
        case _:
            fields = {name: getattr(event, name) for name in event.__struct_fields__}
            return msgspec.structs.replace(state, **fields)


class Refused(Exception):  # noqa: N818 - reads as what happened: the node refused the command
    """A command that the node did not carry out; for people, with the commands' exit code."""

    def __init__(self, text: str, *, remedy: str = "", exit_code: int = 1) -> None:
        super().__init__(text)
        self.text = text
        self.remedy = remedy
        self.exit_code = exit_code


class CheckReport(_Part, frozen=True):
    """What the trainer found in task and data: not usable if `problems` is not empty.

    `exit_code` is that of a command which ends for them; 0 where they have none of their own.
    """

    facts: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    exit_code: int = 0


class NodeControls(Protocol):
    """What a screen or a command may ask of a node. Every method may raise `Refused`."""

    async def status(self) -> NodeStatus: ...

    def watch(self) -> AsyncIterator[NodeStatus]:
        """The status now and after every change; merged if need be, the newest always comes."""
        ...

    async def join(self, invite: str = "") -> None:
        """Read the configuration again and connect, with this invite if there is one."""
        ...

    async def check(self) -> CheckReport:
        """Try task and data once, without sending anything. Needs the plan."""
        ...

    async def consent(self, plan_hash: str) -> None:
        """The operator agrees to exactly this plan and to what `PlanSummary.leaves` says."""
        ...

    async def pause(self) -> None: ...

    async def resume(self) -> None: ...

    async def rotate_key(self) -> None:
        """Give this node a new key, vouched for by the old one; its id changes with it."""
        ...

    async def leave(self) -> None: ...

    async def stop(self) -> None: ...

    async def ledger(self, limit: int = 100) -> tuple[LedgerLine, ...]: ...

    async def log(self, limit: int = 100) -> tuple[LogLine, ...]: ...
