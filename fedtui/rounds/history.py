"""What a federation remembers: the fold of its records, from which a restart goes on.

`replay` is the reference: the store answers the same snapshot from its tables, and the simulated
world restarts its coordinator from it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from fedtui.rounds.records import (
    Audited,
    Evaluated,
    FederationEnded,
    FederationPaused,
    FederationResumed,
    PhaseEntered,
    Record,
    RolledBack,
    RoundFailed,
    RoundFinished,
    RoundStarted,
    SurvivorsChosen,
    UpdateReceived,
)
from fedtui.rounds.spread import Spread
from fedtui.secagg.coordinator import Frozen
from fedtui.wire.messages import ModelRef

_decode_frozen = msgspec.msgpack.Decoder(Frozen).decode


@dataclass(frozen=True, slots=True)
class FinishedRound:
    """A committed round. `score` stays None until its model was evaluated.

    `num_ready` is how many nodes were in the roster of a masked round; 0 without masks. `spread`
    is of the weights; None under masks. `rolled_back` says why its model did not pass the gate,
    where it did not.
    """

    round: int
    attempt: int
    model_digest: bytes
    num_bytes: int
    checkpoint_name: str
    cohort: tuple[bytes, ...]
    survivors: tuple[bytes, ...]
    sums: dict[str, float]
    seconds: float
    score: float | None = None
    score_sums: dict[str, float] = field(default_factory=dict)
    num_evaluators: int = 0
    num_ready: int = 0
    spread: Spread | None = None
    rolled_back: str = ""

    @property
    def model(self) -> ModelRef:
        """How messages name the model after it."""
        return ModelRef(round=self.round, digest=self.model_digest, num_bytes=self.num_bytes)


@dataclass(frozen=True, slots=True)
class Answer:
    """A node's newest update in a committed round: seconds it took, and its training sums.

    The sums are empty under masks; the seconds are as in UpdateReceived.
    """

    seconds: float
    sums: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An attempt that was under way; once `survivors` is set only it may finish the round."""

    round: int
    attempt: int
    phase: str
    model_digest: bytes
    cohort: tuple[bytes, ...]
    updates: tuple[UpdateReceived, ...] = ()
    survivors: tuple[bytes, ...] | None = None
    incarnation: int = 0
    frozen: bytes = b""


@dataclass(frozen=True, slots=True)
class FederationSnapshot:
    """Rounds in order (the first is round 0, the initial model) and what was under way.

    `burnt` is the newest round that failed after its survivors were chosen under masks: its number
    is never used again. `answers` has a node's newest update that counted.
    """

    rounds: tuple[FinishedRound, ...] = ()
    open: OpenAttempt | None = None
    last_attempt: tuple[int, int] = (0, 0)
    burnt: int = 0
    paused: bool = False
    ended: str | None = None
    result_round: int | None = None
    answers: Mapping[bytes, Answer] = field(default_factory=dict)


def shared(nodes: tuple[bytes, ...], *known: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """One of `known` if it is equal: thousands of rounds of the same nodes are one list then."""
    return next((same for same in known if same == nodes), nodes)


def num_ready(frozen: bytes) -> int:
    """How many nodes are in the roster of `SurvivorsChosen.frozen`; 0 if it holds none."""
    try:
        return len(_decode_frozen(frozen).body.entries) if frozen else 0
    except msgspec.DecodeError:  # written by another version: a round that is over is told so
        return 0


def replay(records: Iterable[Record]) -> FederationSnapshot:
    """Fold the records, in the order they were committed, into the state they describe."""
    snapshot = FederationSnapshot()
    for record in records:
        snapshot = _apply(snapshot, record)
    return snapshot


def _apply(state: FederationSnapshot, record: Record) -> FederationSnapshot:
    match record:
        case RoundStarted() | PhaseEntered() | UpdateReceived() | SurvivorsChosen():
            return _apply_to_attempt(state, record)
        case RoundFinished():
            return _finish(state, record)
        case RoundFailed():
            return _fail(state, record)
        case Evaluated():
            return replace(state, rounds=_scored(state.rounds, record))
        case RolledBack():
            return replace(state, rounds=_rolled_back(state.rounds, record))
        case FederationEnded():
            return replace(state, ended=record.reason, result_round=record.result_round, open=None)
        case FederationPaused() | FederationResumed():
            return replace(state, paused=isinstance(record, FederationPaused))
        case Audited():
            return state


def _apply_to_attempt(
    state: FederationSnapshot,
    record: RoundStarted | PhaseEntered | UpdateReceived | SurvivorsChosen,
) -> FederationSnapshot:
    if isinstance(record, RoundStarted):
        attempt = OpenAttempt(
            record.round,
            record.attempt,
            record.phase,
            record.model_digest,
            record.cohort,
            incarnation=record.incarnation,
        )
        return replace(state, open=attempt, last_attempt=(record.round, record.attempt))
    current = _open_of(state, record)
    if current is None:
        return state
    match record:
        case PhaseEntered():
            current = replace(current, phase=record.phase)
        case UpdateReceived():
            current = replace(current, updates=(*current.updates, record))
        case SurvivorsChosen():
            current = replace(current, survivors=record.nodes, frozen=record.frozen)
    return replace(state, open=current)


def _open_of(
    state: FederationSnapshot,
    record: PhaseEntered | UpdateReceived | SurvivorsChosen | RoundFailed | RoundFinished,
) -> OpenAttempt | None:
    """The open attempt, if the record speaks of it."""
    current = state.open
    if current is None or (current.round, current.attempt) != (record.round, record.attempt):
        return None
    return current


def _fail(state: FederationSnapshot, record: RoundFailed) -> FederationSnapshot:
    current = _open_of(state, record)
    if current is None:
        return state
    return replace(state, open=None, burnt=record.round if current.frozen else state.burnt)


def _finish(state: FederationSnapshot, record: RoundFinished) -> FederationSnapshot:
    current = _open_of(state, record)
    finished = FinishedRound(
        round=record.round,
        attempt=record.attempt,
        model_digest=record.model_digest,
        num_bytes=record.num_bytes,
        num_ready=num_ready(current.frozen) if current else 0,
        checkpoint_name=record.checkpoint_name,
        cohort=current.cohort if current else (),
        survivors=(current.survivors or ()) if current else (),
        sums=record.sums,
        seconds=record.seconds,
        spread=record.spread,
    )
    counted = frozenset(finished.survivors)
    updates = current.updates if current else ()
    new = {u.node: Answer(u.seconds, u.sums) for u in updates if u.node in counted}
    return replace(
        state, rounds=(*state.rounds, finished), open=None, answers={**state.answers, **new}
    )


def _scored(rounds: tuple[FinishedRound, ...], record: Evaluated) -> tuple[FinishedRound, ...]:
    """The rounds with this score; it nearly always belongs to the last one."""
    if rounds and rounds[-1].round == record.round:
        return (*rounds[:-1], scored_round(rounds[-1], record))
    return tuple(scored_round(r, record) for r in rounds)


def _rolled_back(
    rounds: tuple[FinishedRound, ...], record: RolledBack
) -> tuple[FinishedRound, ...]:
    """Only the newest round can be."""
    return (*rounds[:-1], replace(rounds[-1], rolled_back=record.cause))


def scored_round(finished: FinishedRound, record: Evaluated) -> FinishedRound:
    """The round with its score, if the record speaks of this round."""
    if finished.round != record.round:
        return finished
    return replace(
        finished,
        score=record.score,
        score_sums=record.sums,
        num_evaluators=record.num_nodes,
    )
