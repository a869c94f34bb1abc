"""How the machine's state becomes the Status that people, scripts and screens see."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import asdict, replace

from coordinator.answers import ModelLine, State, Status, UpdateLine
from coordinator.figures import Figures
from coordinator.groupsseen import GroupsSeen
from fedtui.crypto.keys import fingerprint, short_id
from fedtui.rounds import claims, gate, lateness, masked, promised
from fedtui.rounds.coordinator import Phase as AttemptPhase
from fedtui.rounds.coordinator import RoundCoordinator
from fedtui.rounds.ending import best_of
from fedtui.rounds.federation import Federation, Phase
from fedtui.rounds.history import FederationSnapshot, FinishedRound
from fedtui.rounds.masked_round import MaskedRound
from fedtui.rounds.plan import Plan
from fedtui.status.coordinator import MAX_AWAITED, Epsilons, RoundLine

_STATES: dict[AttemptPhase | masked.Phase, State] = {
    AttemptPhase.INVITING: "inviting",
    AttemptPhase.COLLECTING: "collecting",
    AttemptPhase.AGGREGATING: "combining",
    AttemptPhase.FINISHED: "combining",
    AttemptPhase.FAILED: "waiting",
    masked.Phase.INVITING: "inviting",
    masked.Phase.COLLECTING: "collecting",
    masked.Phase.SHARING: "sharing",
    masked.Phase.MASKING: "masking",
    masked.Phase.VOTING: "voting",
    masked.Phase.REVEALING: "revealing",
    masked.Phase.AGGREGATING: "combining",
    masked.Phase.FINISHED: "combining",
    masked.Phase.FAILED: "waiting",
}
_ANSWERED = {
    masked.Phase.COLLECTING: "nodes are ready",
    masked.Phase.SHARING: "nodes' shares are here",
    masked.Phase.MASKING: "masked updates are here",
    masked.Phase.VOTING: "nodes voted for their sum",
    masked.Phase.REVEALING: "nodes revealed what opens the sum",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the machine does not know and `status` tells all the same.

    `name` gives a node's name for people; `traffic` is bytes up and down, by round, `saved` those
    that did not have to travel (savings.py); `figures` what the nodes' updates looked like,
    `groups` what the groups of masked rounds did, `spent` what nodes spent under [dp].
    """

    fingerprint: str
    incarnation: int
    connected: int = 0
    pending: int = 0
    address: str = ""
    health: str = ""
    pid: int = 0
    uptime_s: float = 0.0
    degraded: str | None = None
    traffic: Mapping[int, tuple[int, int]] | None = None
    saved: tuple[int, int] = (0, 0)
    name: Callable[[bytes], str] = short_id
    figures: Figures = field(default_factory=Figures)
    groups: GroupsSeen = field(default_factory=GroupsSeen)
    spent: Epsilons | None = None


def of_running(federation: Federation, around: Surroundings) -> Status:
    """The status of a coordinator that serves."""
    attempt = federation.attempt
    state, text = _state(federation)
    if around.degraded is not None:
        state, text = "degraded", f"nothing can be written: {around.degraded}"
    status = replace(
        _base(federation.plan, federation.frame.plan_hash, federation.rounds, around),
        running=True,
        state=state,
        text=text,
        present=len(federation.available),
        needed=federation.needed,
        failures=tuple(federation.failures[-5:]),
        ended=federation.ended,
        paused=federation.phase is Phase.PAUSED,
    )
    if attempt is None:
        return status
    return replace(
        status,
        round=attempt.round,
        attempt=attempt.attempt,
        updates=len(attempt.contributions),
        cohort=len(attempt.members),
    )


def of_stopped(
    snapshot: FederationSnapshot, plan: Plan, plan_hash: bytes, around: Surroundings
) -> Status:
    """The status of a coordinator that does not run, from its database."""
    text = "the coordinator does not run"
    if snapshot.ended is not None:
        text = f"{text}; its federation ended: {snapshot.ended}"
    status = replace(
        _base(plan, plan_hash, snapshot.rounds, around),
        state="stopped" if snapshot.ended is None else "ended",
        text=text,
        ended=snapshot.ended,
        paused=snapshot.paused,
    )
    if snapshot.open is None:
        return status
    return replace(
        status,
        round=snapshot.open.round,
        attempt=snapshot.open.attempt,
        updates=len(snapshot.open.updates),
        cohort=len(snapshot.open.cohort),
    )


def _base(
    plan: Plan, plan_hash: bytes, rounds: Sequence[FinishedRound], around: Surroundings
) -> Status:
    last = rounds[-1]
    best = best_of(rounds, plan.task.metric)
    return Status(
        running=False,
        state="stopped",
        text="",
        federation=plan.federation.name,
        task=plan.task.name,
        metric=plan.task.metric,
        target=plan.rounds.target,
        maximum=plan.rounds.maximum,
        plan_hash=plan_hash.hex(),
        fingerprint=around.fingerprint,
        incarnation=around.incarnation,
        round=last.round,
        attempt=last.attempt,
        connected=around.connected,
        pending=around.pending,
        needed=plan.minimum,
        masked=plan.masked,
        privacy=privacy_of(plan),
        model=_model_line(gate.passed(rounds)),
        best=_model_line(best),
        rounds=tuple(_round_line(r, plan, around) for r in rounds if r.round),
        updates_seen=tuple(
            UpdateLine(
                node=fingerprint(one.node),
                label=around.name(one.node),
                length=one.length,
                cosine=one.cosine,
            )
            for one in around.figures.of_round(last.round)
        ),
        suspects=tuple(
            f"{around.name(node)} (in {bad} bad groups of {num})"
            for node, (bad, num) in sorted(around.groups.suspects.items())
        ),
        address=around.address,
        health=around.health,
        pid=around.pid,
        uptime_s=around.uptime_s,
        saved_up=around.saved[0],
        saved_down=around.saved[1],
        spent=around.spent,
    )


def privacy_of(plan: Plan) -> str:
    """Who can read the updates of nodes under this plan, as a sentence."""
    if not plan.masked:
        return f"updates are visible to the coordinator{promised.sentence(plan)}"
    return claims.of_plan(plan) + promised.sentence(plan)


def _model_line(finished: FinishedRound) -> ModelLine:
    return ModelLine(
        round=finished.round,
        digest=finished.model_digest.hex(),
        num_bytes=finished.num_bytes,
        score=finished.score,
    )


def _round_line(finished: FinishedRound, plan: Plan, around: Surroundings) -> RoundLine:
    bytes_up, bytes_down = (around.traffic or {}).get(finished.round, (None, None))
    lost = lateness.dropped(plan, finished)
    line = RoundLine(
        round=finished.round,
        attempt=finished.attempt,
        seconds=finished.seconds,
        score=finished.score,
        participants=len(finished.survivors),
        dropped=len(lost),
        bytes_up=bytes_up,
        bytes_down=bytes_down,
        model=finished.model_digest.hex(),
        cohort=len(finished.cohort),
        lost=tuple(map(around.name, lost[:MAX_AWAITED])),
        masked=plan.masked,
        rolled_back=finished.rolled_back,
    )
    if finished.spread is not None:
        return replace(line, **asdict(finished.spread))
    if not finished.num_ready:
        return line
    claim = claims.of_round(plan, invited=line.cohort, ready=finished.num_ready)
    return replace(
        line,
        ready=claim.ready,
        threshold=claim.threshold,
        colluders=claim.colluders,
        num_honest=claim.num_honest,
    )


def _state(federation: Federation) -> tuple[State, str]:
    """The state as a word and as a sentence."""
    attempt, last = federation.attempt, federation.rounds[-1]
    match federation.phase:
        case Phase.GATHERING:
            here, needed = len(federation.available), federation.needed
            why = f" ({federation.failures[-1]})" if federation.failures else ""
            return "waiting", f"waiting for nodes: {here} of {needed} are here{why}"
        case Phase.ROUND if attempt is not None:
            return _STATES[attempt.phase], _attempt_text(attempt)
        case Phase.ROUND | Phase.EVALUATING:
            return "evaluating", f"the model after round {last.round} is being measured"
        case Phase.PAUSED:
            return "paused", f"paused after round {last.round}; 'resume' goes on"
        case Phase.ENDED:
            return "ended", federation.ended or "over"


def _attempt_text(attempt: RoundCoordinator | MaskedRound) -> str:
    name = f"round {attempt.round}" + (
        f" attempt {attempt.attempt}" if attempt.attempt > 1 else ""
    )
    num, of = len(attempt.contributions), len(attempt.members)
    match attempt.phase.name:
        case "INVITING":
            return f"{name}: waiting for {of} nodes to accept"
        case "AGGREGATING" | "FINISHED":
            return f"{name}: combining {num} updates"
        case "FAILED":
            return f"{name} failed: {attempt.failure}"
        case _ if isinstance(attempt, MaskedRound):
            num = attempt.num_answered
            of = max(num, len(attempt.awaited))  # who is lost is not waited for
            return f"{name}: {num} of {of} {_ANSWERED[attempt.phase]}"
        case _:
            return f"{name}: {num} of {of} updates are here"
