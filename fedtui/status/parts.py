"""What a node is doing, as every screen sees it: frozen, free of secrets.

`NodeStatus` is all of it. Nothing here holds a key, an invite, a share, a sample or a value of an
update. Texts that came over the network were sanitised before they got here. Times are UTC
seconds, `..._s` durations in seconds, rates bytes/s.
"""

from __future__ import annotations

from math import acos, degrees
from typing import Literal

import msgspec

from fedtui.status.limits import Limits

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
    "resting",
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
StepState = Literal["waiting", "now", "done", "failed", "skipped"]
Level = Literal["info", "ok", "warning", "error"]
Source = Literal["node", "round", "train", "link", "peer", "privacy", "operator"]
Outcome = Literal["counted", "late", "refused", "sat out", "failed"]

MAX_SCORES = 256
MAX_TAIL = 32
MAX_ROUNDS = 64
MAX_POINTS = 240
MAX_RATES = 120
MAX_ALARMS = 32


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of the status. Unknown fields are ignored: an older screen may meet a newer node."""


class Coordinator(Part, frozen=True):
    """Who this node obeys; `fingerprint` is what both screens show, `pinned_at` when we agreed.

    `formerly` is the fingerprint before its key was rotated, "" if it never was. `words` are the
    six words of the pinned key, empty until somebody needed them (they take half a second).
    `num_changed` counts keys presented at this address that were not the pinned one.
    """

    label: str
    address: str
    fingerprint: str
    pinned_at: float = 0.0
    formerly: str = ""
    words: tuple[str, ...] = ()
    num_changed: int = 0


class Leaves(Part, frozen=True):
    """One kind of thing that leaves this machine: in which form, who can read it, how often.

    `can` says what the operator can do about it, `source` who vouches for the claim.
    """

    item: str
    form: str
    reader: str
    when: str
    can: str = ""
    source: Literal["here", "coord", "node"] = "here"


class PlanSummary(Part, frozen=True):
    """What the operator consents to. `plan_hash` is 64 hex digits and covers every word of it.

    `privacy` says in a sentence whether the coordinator sees updates or sums. `differs` are
    sentences on what changed since the plan that was agreed to. `form_hash` (hex) covers the items
    in `leaves`, `stays` and `worst`, which says what could be learned at worst, and by whom.
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
    needs: str = ""
    worst: str = ""
    form_hash: str = ""


class Receipt(Part, frozen=True):
    """The consent that this node acts under; hashes in hex, kept on disk beside the plan."""

    plan_hash: str
    form_hash: str
    coordinator: str
    at: float
    data: str = ""
    data_digest: str = ""
    limits: str = ""


class Waiting(Part, frozen=True):
    """No round runs: `have` nodes are present, `need` must be."""

    have: int
    need: int


class Step(Part, frozen=True):
    """One phase of a round as this node lived it; `seconds` and `num_bytes` so far."""

    phase: Phase
    state: StepState = "waiting"
    began_at: float = 0.0
    seconds: float = 0.0
    num_bytes: int = 0


class Round(Part, frozen=True):
    """The round under way here, or the last one; `number` 0 before the first.

    `have` of `need` is what the phase waits for, 0 of 0 if that is not known here. `sat_out` says
    why this node takes no part, "" if it does.
    """

    number: int = 0
    attempt: int = 0
    phase: Phase = ""
    deadline_at: float = 0.0
    steps: tuple[Step, ...] = ()
    have: int = 0
    need: int = 0
    cohort: int = 0
    sat_out: str = ""


class PastRound(Part, frozen=True):
    """A round that is over, as this node knows it; what it cannot know is None.

    `score` is the coordinator's for the model after it, `reason` why it was not counted.
    """

    number: int
    attempt: int
    outcome: Outcome
    ended_at: float
    seconds: float = 0.0
    score: float | None = None
    num_updates: int | None = None
    cohort: int | None = None
    dropped: int | None = None
    masked: bool = False
    threshold: int | None = None
    bytes_up: int = 0
    bytes_down: int = 0
    reason: str = ""
    steps: tuple[Step, ...] = ()


class Training(Part, frozen=True):
    """How far local work is; `loss` is None until the trainer told one.

    `left_s` estimates what is left of it, None while unknown; `reported_at` when the trainer last
    said something: a screen says 'stalled' when that is too long ago. `losses` are those of the
    last batches told, oldest first, at most MAX_POINTS; a new round begins anew.
    """

    fraction: float = 0.0
    epoch: int = 0
    num_epochs: int = 0
    batch: int = 0
    num_batches: int = 0
    loss: float | None = None
    examples_per_s: float = 0.0
    left_s: float | None = None
    reported_at: float = 0.0
    losses: tuple[float, ...] = ()


class Score(Part, frozen=True):
    """The combined score of the global model after `round`, as the coordinator reported it."""

    round: int
    metric: str
    score: float
    num_examples: int
    num_nodes: int


class OwnScore(Part, frozen=True):
    """Measured here, on this node's own hold-out, and told to nobody by itself.

    `before` is that of the global model that the round began with, `after` that of the model as
    trained here. None where nothing was measured.
    """

    round: int
    metric: str
    before: float | None = None
    after: float | None = None
    num_examples: int = 0


class Drift(Part, frozen=True):
    """How far this node's update of `round` was from where all went; told to nobody.

    `distance` lies between the model as trained here and the global one `num_rounds` later, `own`
    is the length of the update, `moved` of the global model's step; all L2. `cosine` is of the
    angle between the two; None where one of them is zero.
    """

    round: int
    num_rounds: int = 1
    distance: float = 0.0
    own: float = 0.0
    moved: float = 0.0
    cosine: float | None = None

    def words(self) -> str:
        """For people, in a line."""
        angle = "-" if self.cosine is None else f"{degrees(acos(self.cosine)):.0f} deg"
        later = f" {self.num_rounds} rounds later" if self.num_rounds > 1 else ""
        return (
            f"round {self.round}: {self.distance:.3g} from the global model{later}, "
            f"angle {angle}; update {self.own:.3g}, global step {self.moved:.3g}"
        )


class Traffic(Part, frozen=True):
    """Bytes on the wire since the daemon joined.

    `up_today` is what the ledger announced since midnight UTC: the operator's limit counts it;
    `down_today` what was received since then, as far as this process knows. Rates of the last
    seconds, 0 for what only keeps the link open; `up_rates` and `down_rates` the last MAX_RATES
    of them, one a second while a screen watches, oldest first.
    """

    up: int = 0
    down: int = 0
    up_today: int = 0
    down_today: int = 0
    up_per_s: float = 0.0
    down_per_s: float = 0.0
    round_trip_s: float | None = None
    round_trip_p50_s: float | None = None
    round_trip_p99_s: float | None = None
    jitter_s: float | None = None
    num_reconnects: int = 0
    up_rates: tuple[int, ...] = ()
    down_rates: tuple[int, ...] = ()


class Machine(Part, frozen=True):
    """This workstation and the trainer on it. `cpu_percent` 100 is one core, kept busy.

    `power` is "" where it cannot be known; `device` is what the trainer computes on.
    """

    cpu_percent: float = 0.0
    trainer_pid: int = 0
    trainer_nice: int = 0
    trainer_threads: int = 0
    trainer_memory_mb: float = 0.0
    trainer_restarts: int = 0
    device: str = "cpu"
    power: Literal["", "AC", "battery"] = ""
    num_cores: int = 0


class Peer(Part, frozen=True):
    """Another node of the last roster, as far as the protocol tells: its fingerprint.

    `is_new` says that it was in no roster before; `lost` that it dropped out of the round.
    """

    fingerprint: str
    is_new: bool = False
    is_me: bool = False
    lost: bool = False


class Privacy(Part, frozen=True):
    """Who can learn what in the rounds of this plan, in numbers and in sentences.

    `noise` says who adds noise; "" if nobody does.
    """

    masked: bool = False
    cohort: int = 0
    threshold: int = 0
    minimum: int = 0
    colluders: int = 0
    coordinator_sees: str = ""
    others_see: str = ""
    if_collude: str = ""
    keystream: str = ""
    roster_hash: str = ""
    noise: str = ""


class MaskedSum(Part, frozen=True):
    """The sum that this node's update went into, as it voted for it.

    Of the `cohort` that was offered, `ready` nodes were in the roster, `threshold` shares open a
    mask, and `num_nodes` are in the sum; `lost` names some of the `num_lost` who are not. If at
    most `colluders` nodes are in league with the coordinator, they can learn sums only, each over
    at least `num_honest` honest nodes.
    """

    num_nodes: int
    cohort: int
    ready: int
    threshold: int
    colluders: int
    num_honest: int
    num_lost: int = 0
    lost: tuple[str, ...] = ()


class LedgerLine(Part, frozen=True):
    """One entry of the ledger: what left this machine, when, in which form, to whom.

    `sum` is of masked updates that this node voted for, where the commands know it.
    """

    at: float
    round: int
    attempt: int
    what: str
    num_bytes: int
    form: str
    receiver: str
    digest: str = ""
    sum: MaskedSum | None = None


class LogLine(Part, frozen=True):
    """Something that happened and that the operator may want to read."""

    at: float
    level: Level
    text: str
    source: Source = "node"


class Problem(Part, frozen=True):
    """What went wrong and what to do; `code` is a number of errors.py, 0 for a local matter."""

    text: str
    remedy: str = ""
    code: int = 0
    at: float = 0.0


class Alarm(Part, frozen=True):
    """Something that stays on the screen until the operator has acknowledged it.

    `kind` names what happened (one word, for settings and tests); `detail` are more lines, such
    as the last words of a trainer that died.
    """

    id: int
    at: float
    kind: str
    text: str
    remedy: str = ""
    detail: tuple[str, ...] = ()
    acknowledged: bool = False


class Budget(Part, frozen=True):
    """What this node spent of its privacy under [dp], guaranteed: `epsilon` at `delta`.

    `noise` is that of one round, in clips; `num_releases` are updates that left. `cap` is what the
    operator allows in all (0: no cap), `rounds_left` how many rounds still fit (None: any).
    """

    epsilon: float = 0.0
    delta: float = 0.0
    noise: float = 0.0
    num_releases: int = 0
    cap: float = 0.0
    rounds_left: int | None = None

    def words(self) -> str:
        """In a line, for people."""
        cap = f" of the {self.cap:g} that you allow" if self.cap else ""
        left = "no cap" if not self.cap else "rounds left: not known yet"
        if self.rounds_left is not None:
            left = f"{self.rounds_left} rounds left"
        return (
            f"epsilon {self.epsilon:.3g}{cap} spent, by {self.num_releases} updates, at delta "
            f"{self.delta:g}; {left}"
        )


class NodeStatus(Part, frozen=True):
    """All of it. `seq` counts the events it includes.

    `resting` says why the node sits out although it could take part ("" if it does not): budget,
    hours, power, idle. `pause_until` 0 means until the operator resumes; `leaving` that it leaves
    when the round under way is over. `retry_at` is when the link dials again, 0 if it is not
    waiting; `offline_since` 0 while connected; `num_tries` of dialling since then.
    """

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
    receipt: Receipt | None = None
    waiting: Waiting | None = None
    round: Round = Round()
    rounds: tuple[PastRound, ...] = ()
    training: Training = Training()
    rounds_counted: int = 0
    rounds_late: int = 0
    rounds_refused: int = 0
    scores: tuple[Score, ...] = ()
    own_scores: tuple[OwnScore, ...] = ()
    drift: Drift | None = None
    traffic: Traffic = Traffic()
    machine: Machine = Machine()
    limits: Limits = Limits()
    privacy: Privacy = Privacy()
    budget: Budget | None = None
    roster: tuple[Peer, ...] = ()
    ledger: tuple[LedgerLine, ...] = ()
    log: tuple[LogLine, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    problem: Problem | None = None
    resting: str = ""
    pause_until: float = 0.0
    leaving: bool = False
    offline_since: float = 0.0
    retry_at: float = 0.0
    num_tries: int = 0
    final: bool = False
