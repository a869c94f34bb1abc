"""From what the node knows to the one word and one sentence that a screen shows. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedtui import status
from fedtui.rounds.phases import Phase

if TYPE_CHECKING:
    from fedtui.wire.messages import Result, Scored

PHASES: dict[Phase, tuple[status.State, status.Phase, str]] = {
    Phase.IDLE: ("waiting", "", "waiting for the next round"),
    Phase.FETCHING: ("training", "download", "receiving the global model for round {round}"),
    Phase.TRAINING: ("training", "train", "training for round {round} on your examples"),
    Phase.LATE: ("training", "train", "training on, late: round {round} went on without it"),
    Phase.SHARING: ("masking", "share", "agreeing on masks for round {round} with other nodes"),
    Phase.MASKING: ("masking", "mask", "masking what leaves in round {round}"),
    Phase.CONFIRMING: ("confirming", "confirm", "opening the sum of round {round} together"),
    Phase.UPLOADING: ("uploading", "upload", "sending the update of round {round}"),
    Phase.MEASURING: ("evaluating", "evaluate", "measuring the model of round {round}"),
    Phase.LEFT: ("idle", "", "left the federation"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that decides the line. `offline` says why there is no session, "" if there is one.

    `paused` and `resting` are whole sentences: by the operator, and by a limit of theirs.
    """

    joined: bool = False
    stopped: str = ""
    offline: str = ""
    asking: str = ""
    pending: bool = False
    entering: bool = False
    paused: str = ""
    resting: str = ""
    phase: Phase = Phase.IDLE
    round: int = 0
    waiting: status.Waiting | None = None
    coordinator_paused: bool = False
    ended: str = ""


def line(facts: Facts) -> tuple[status.State, str]:
    """The state and its sentence; the first fact that matters decides."""
    if facts.stopped:
        return "stopped", facts.stopped
    if not facts.joined:
        return "idle", "not in a federation: fedtui join"
    if facts.ended:
        return "stopped", f"the federation is over: {facts.ended}"
    return _coming_in(facts) or _at_work(facts)


def _coming_in(facts: Facts) -> tuple[status.State, str] | None:
    if facts.offline and facts.paused:  # it is so at once, whoever can be reached
        return "paused", f"{facts.paused} ({facts.offline})"
    if facts.offline:
        return "connecting", facts.offline
    if facts.asking:
        return "asking", facts.asking
    if facts.pending:
        return "pending", "waiting for approval by the coordinator's operator"
    if facts.entering:
        return "connecting", "consent given, waiting for the coordinator to take this node in"
    return None


def _at_work(facts: Facts) -> tuple[status.State, str]:
    if facts.paused:
        return "paused", facts.paused
    if facts.resting:
        return "resting", facts.resting
    state, _, sentence = PHASES[facts.phase]
    if facts.phase is not Phase.IDLE:
        return state, sentence.format(round=facts.round)
    if facts.coordinator_paused:
        return state, "the coordinator's operator paused the federation"
    if facts.waiting and facts.waiting.have < facts.waiting.need:
        missing = facts.waiting.need - facts.waiting.have
        return state, (
            f"waiting for {missing} of {facts.waiting.need} nodes ({facts.waiting.have} are here)"
        )
    return state, sentence


def committed(message: Result) -> tuple[status.Level, str]:
    """A line of the log: a round was committed, with or without this node's update."""
    mine = "yours is in it" if message.counted else "yours is not in it"
    text = f"round {message.round} committed with {message.num_updates} updates, {mine}"
    return ("ok" if message.counted else "info"), text


def score_of(message: Scored) -> status.Score:
    """What the coordinator says of a model."""
    return status.Score(
        round=message.round,
        metric=message.metric,
        score=message.score,
        num_examples=message.num_examples,
        num_nodes=message.num_nodes,
    )


def lost(seen: status.NodeStatus, now: float, retry_in_s: float | None) -> status.LinkLost:
    """There is no session (any more); the next try comes in so many seconds, None: never."""
    return status.LinkLost(
        offline_since=seen.offline_since or now,
        retry_at=0.0 if retry_in_s is None else now + retry_in_s,
        num_tries=seen.num_tries + 1,
    )
