"""What changes a node's status: numbered events, and the reducer that applies them. Pure.

The daemon keeps one `NodeStatus` and describes each change as an event with the next `seq`. A
screen starts from a snapshot and applies the same events with `reduce`, so it shows exactly what
the daemon knows, however often it was away.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from fedtui.status.limits import Limits
from fedtui.status.parts import (
    MAX_ALARMS,
    MAX_POINTS,
    MAX_RATES,
    MAX_ROUNDS,
    MAX_SCORES,
    MAX_TAIL,
    Alarm,
    Budget,
    Coordinator,
    Drift,
    LedgerLine,
    LogLine,
    Machine,
    NodeStatus,
    OwnScore,
    PastRound,
    Peer,
    PlanSummary,
    Privacy,
    Problem,
    Receipt,
    Round,
    Score,
    State,
    Traffic,
    Training,
    Waiting,
)


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


class ReceiptKept(_Event, frozen=True):
    """The operator's consent as it is on disk; None: withdrawn, or never given."""

    receipt: Receipt | None


class WaitingFor(_Event, frozen=True):
    waiting: Waiting | None


class RoundMoved(_Event, frozen=True):
    round: Round


class RoundPassed(_Event, frozen=True):
    """A round is over for this node; a later one with the same number and attempt replaces it."""

    past: PastRound


class TrainingMoved(_Event, frozen=True):
    """`training.losses` of an event are new points only: the reducer adds them to those it has."""

    training: Training


class RoundCounted(_Event, frozen=True):
    """A round was committed; `counted` says whether this node's update is in it."""

    round: int
    counted: bool


class ScoreSeen(_Event, frozen=True):
    score: Score


class OwnScoreSeen(_Event, frozen=True):
    """What was measured here; a field that is None keeps what was known of that round."""

    score: OwnScore


class DriftSeen(_Event, frozen=True):
    drift: Drift


class TrafficMeasured(_Event, frozen=True):
    """The reducer keeps the rates of the last readings itself; those of the event are ignored."""

    traffic: Traffic


class MachineMeasured(_Event, frozen=True):
    machine: Machine


class LimitsSet(_Event, frozen=True):
    limits: Limits


class PrivacySeen(_Event, frozen=True):
    privacy: Privacy


class BudgetSeen(_Event, frozen=True):
    budget: Budget | None


class RosterSeen(_Event, frozen=True):
    roster: tuple[Peer, ...]


class Rested(_Event, frozen=True):
    """The node sits out, and why; "" when it does no longer."""

    resting: str


class PauseSet(_Event, frozen=True):
    """Until when the operator paused; 0 until they resume (or not paused at all: see state)."""

    pause_until: float


class LeavingSet(_Event, frozen=True):
    leaving: bool


class LinkLost(_Event, frozen=True):
    """There is no session; all 0 when there is one again."""

    offline_since: float = 0.0
    retry_at: float = 0.0
    num_tries: int = 0


class LedgerWritten(_Event, frozen=True):
    line: LedgerLine


class Logged(_Event, frozen=True):
    line: LogLine


class ProblemSeen(_Event, frozen=True):
    """`problem` None: what was wrong is over."""

    problem: Problem | None


class AlarmRaised(_Event, frozen=True):
    alarm: Alarm


class AlarmSeen(_Event, frozen=True):
    """The operator acknowledged the alarm with this id."""

    id: int


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
    | ReceiptKept
    | WaitingFor
    | RoundMoved
    | RoundPassed
    | TrainingMoved
    | RoundCounted
    | ScoreSeen
    | OwnScoreSeen
    | DriftSeen
    | TrafficMeasured
    | MachineMeasured
    | LimitsSet
    | PrivacySeen
    | RosterSeen
    | Rested
    | PauseSet
    | LeavingSet
    | LinkLost
    | BudgetSeen
    | LedgerWritten
    | Logged
    | ProblemSeen
    | AlarmRaised
    | AlarmSeen
    | FederationBegan
    | FederationEnded
)


def reduce(state: NodeStatus, event: Event) -> NodeStatus:
    """The status after `event`; an event that `state` already includes changes nothing."""
    if event.seq <= state.seq:
        return state
    return replace(_apply(state, event), seq=event.seq)


def _apply(state: NodeStatus, event: Event) -> NodeStatus:
    match event:
        case LedgerWritten() | Logged() | ScoreSeen() | OwnScoreSeen() | AlarmRaised():
            return _with_line(state, event)
        case TrainingMoved(training=training):
            return replace(state, training=_with_losses(state.training, training))
        case TrafficMeasured(traffic=traffic):
            return replace(state, traffic=_with_rates(state.traffic, traffic))
        case RoundCounted(counted=counted):
            return replace(state, rounds_counted=state.rounds_counted + int(counted))
        case RoundPassed(past=past):
            return _with_past(state, past)
        case AlarmSeen(id=number):
            return replace(state, alarms=tuple(_seen(one, number) for one in state.alarms))
        case FederationBegan(rounds_counted=so_far):
            return _begun(state, so_far)
        case _:
            return _with_fields(state, event)


def _with_fields(state: NodeStatus, event: Event) -> NodeStatus:
    """An event whose fields are those of the status."""
    if isinstance(event, FederationEnded):
        return replace(state, final=True)
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    return replace(state, **fields)


def _with_line(
    state: NodeStatus, event: LedgerWritten | Logged | ScoreSeen | OwnScoreSeen | AlarmRaised
) -> NodeStatus:
    match event:
        case LedgerWritten(line=entry):
            return replace(state, ledger=(*state.ledger, entry)[-MAX_TAIL:])
        case Logged(line=said):
            return replace(state, log=(*state.log, said)[-MAX_TAIL:])
        case AlarmRaised(alarm=alarm):
            return replace(state, alarms=(*state.alarms, alarm)[-MAX_ALARMS:])
        case ScoreSeen(score=score):
            kept = tuple(old for old in state.scores if old.round != score.round)
            return replace(state, scores=(*kept, score)[-MAX_SCORES:])
        case OwnScoreSeen(score=own):
            return _with_own(state, own)


def _begun(state: NodeStatus, so_far: int) -> NodeStatus:
    return replace(
        state,
        rounds_counted=so_far,
        rounds_late=0,
        rounds_refused=0,
        scores=(),
        own_scores=(),
        drift=None,
        rounds=(),
        budget=None,
        roster=(),
        round=Round(),
        training=Training(),
        final=False,
    )


def _seen(alarm: Alarm, number: int) -> Alarm:
    return replace(alarm, acknowledged=True) if alarm.id == number else alarm


def _with_own(state: NodeStatus, own: OwnScore) -> NodeStatus:
    known = next((old for old in state.own_scores if old.round == own.round), own)
    merged = replace(
        own,
        before=known.before if own.before is None else own.before,
        after=known.after if own.after is None else own.after,
    )
    kept = tuple(old for old in state.own_scores if old.round != own.round)
    return replace(state, own_scores=(*kept, merged)[-MAX_SCORES:])


def _with_losses(before: Training, now: Training) -> Training:
    goes_on = (now.epoch, now.batch) >= (before.epoch, before.batch) and now.num_epochs > 0
    kept = before.losses if goes_on else ()
    return replace(now, losses=(*kept, *now.losses)[-MAX_POINTS:])


def _with_rates(before: Traffic, now: Traffic) -> Traffic:
    return replace(
        now,
        up_rates=(*before.up_rates, round(now.up_per_s))[-MAX_RATES:],
        down_rates=(*before.down_rates, round(now.down_per_s))[-MAX_RATES:],
    )


def _with_past(state: NodeStatus, past: PastRound) -> NodeStatus:
    same = (past.number, past.attempt)
    kept = tuple(old for old in state.rounds if (old.number, old.attempt) != same)
    is_new = len(kept) == len(state.rounds)
    return replace(
        state,
        rounds=(*kept, past)[-MAX_ROUNDS:],
        rounds_late=state.rounds_late + int(is_new and past.outcome == "late"),
        rounds_refused=state.rounds_refused + int(is_new and past.outcome == "refused"),
    )
