"""What the commands print, as structs: for people, for scripts, for a screen. Light.

`Status.rounds` is what demo and benchmarks read. What the screen draws too is defined beside it,
in fedtui.status.coordinator.
"""

from typing import Literal

import msgspec

from fedtui.status.coordinator import Epsilons, RoundLine

State = Literal[
    "waiting",
    "inviting",
    "collecting",
    "sharing",
    "masking",
    "voting",
    "revealing",
    "combining",
    "evaluating",
    "paused",
    "ended",
    "degraded",
    "stopped",
]


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Unknown fields are ignored: an older reader may meet a newer coordinator."""


class ModelLine(_Part, frozen=True, kw_only=True):
    """A committed model; `digest` as hex."""

    round: int
    digest: str
    num_bytes: int
    score: float | None


class UpdateLine(_Part, frozen=True, kw_only=True):
    """What a node's update looked like beside the others of its round (combining/looking.py).

    `cosine` is that to the median of every value; None if one of them is nothing but zeros.
    """

    node: str
    label: str
    length: float
    cosine: float | None


class Status(_Part, frozen=True, kw_only=True):
    """Everything that `status` prints. `text` is the state as one sentence.

    `privacy` says in one who can read updates; `masked` whether nobody can read a single one.
    `suspects` are nodes in bad groups more often than chance explains, each with the counts.
    `updates_seen` are those of the newest round, none under masks.
    `saved_up` and `saved_down` are bytes that shorter updates, and changes in place of models,
    spared in this life. `spent` is None without [dp], and until it was worked out.
    """

    running: bool
    state: State
    text: str
    federation: str
    task: str
    metric: str
    target: float | None
    maximum: int
    plan_hash: str
    fingerprint: str
    incarnation: int
    round: int
    attempt: int
    updates: int = 0
    cohort: int = 0
    connected: int
    pending: int
    present: int = 0
    needed: int
    model: ModelLine
    best: ModelLine
    rounds: tuple[RoundLine, ...]
    updates_seen: tuple[UpdateLine, ...] = ()
    failures: tuple[str, ...] = ()
    ended: str | None = None
    paused: bool = False
    masked: bool = False
    privacy: str = ""
    suspects: tuple[str, ...] = ()
    address: str = ""
    health: str = ""
    pid: int = 0
    uptime_s: float = 0.0
    saved_up: int = 0
    saved_down: int = 0
    spent: Epsilons | None = None


class NodeLine(msgspec.Struct, frozen=True, kw_only=True):
    """One node as `nodes` lists it. Times in UTC seconds.

    Of the newest masked rounds in groups: in how many it was, in how many its group was bad, and
    whether that is more than chance explains.
    """

    fingerprint: str
    label: str
    role: str
    state: str
    connected: bool
    address: str
    invite: str | None
    created: float
    approved_by: str | None
    last_seen: float | None
    groups: int = 0
    bad_groups: int = 0
    suspect: bool = False


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence about what was done."""

    text: str


class InitReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `init --json` prints; `notes` are worth reading and stop nothing.

    `bound` says what keeps nodes to the plan's update_clip.
    """

    directory: str
    fingerprint: str
    words: tuple[str, ...]
    plan_hash: str
    task: str
    num_values: int
    port: int
    bound: str
    notes: tuple[str, ...] = ()


class KeyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `key show --json` and `key rotate --json` print; `former` oldest first."""

    fingerprint: str
    words: tuple[str, ...]
    former: tuple[str, ...]


class ServeReport(msgspec.Struct, frozen=True, kw_only=True):
    """The one line of `serve --json`."""

    address: str
    health: str
    fingerprint: str
    words: tuple[str, ...]
    incarnation: int
    announced: bool = False
    without_invite: bool = False


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What `export` wrote."""

    directory: str
    round: int
    digest: str
    score: float | None
    files: tuple[str, ...]


class SavedReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `backup --json` and `restore --json` print."""

    directory: str
    num_models: int
    newest_round: int | None
    has_identity: bool


class AuditVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What `audit verify --json` prints."""

    sound: bool
    num_entries: int
    head: str
    signed_through: int
    num_heads: int
    problems: tuple[str, ...]
