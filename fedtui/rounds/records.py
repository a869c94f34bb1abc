"""What the machines ask to be made durable: one frozen struct per fact, the payload of `Persist`.

The coordinator's store writes all records of one `handle` call in one transaction and says so
before anything is sent. A record states what happened; it carries no clock reading of its own
except where a machine's decision depends on it. Rounds count from 1: round `n` turns the model
after round `n - 1` into the model after round `n`. Round 0 has no conversation: its only record is
RoundFinished(0, 0, ...), which names the initial model.

Seconds are floats on the driver's clock, UTC in the programs. Node ids and digests are 32 bytes.
Sums are plain totals by name (examples, loss_sum, correct, ...), never averages.
"""

import msgspec

from fedtui.rounds.spread import Spread

Sums = dict[str, float]


class _OfAttempt(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """A fact about one attempt of one round."""

    round: int
    attempt: int


class _Fact(msgspec.Struct, frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True):
    """A fact about the federation as a whole."""


class RoundStarted(_OfAttempt, frozen=True, kw_only=True, tag=True):
    """An attempt begins from `model_digest` with exactly this cohort; older attempts are over."""

    phase: str
    model_digest: bytes
    cohort: tuple[bytes, ...]
    deadline: float
    incarnation: int


class PhaseEntered(_OfAttempt, frozen=True, kw_only=True, tag=True):
    phase: str
    deadline: float


class UpdateReceived(_OfAttempt, frozen=True, kw_only=True, tag=True):
    """The node's update is complete, verified and synced in the spool. At most once per attempt.

    `weight` is None where nobody may see a single weight (masked updates). `seconds` is how long
    the node needed, from the offer until the update was here (masked: until it was ready).
    """

    node: bytes
    digest: bytes
    num_bytes: int
    weight: float | None
    sums: Sums
    seconds: float = 0.0


class SurvivorsChosen(_OfAttempt, frozen=True, kw_only=True, tag=True):
    """Exactly these nodes are in the sum; from here on only this attempt may finish the round.

    `frozen` is what a masked attempt needs to be finished in another life (secagg.Frozen).
    """

    nodes: tuple[bytes, ...]
    frozen: bytes = b""


class RoundFinished(_OfAttempt, frozen=True, kw_only=True, tag=True):
    """The model after this round is on disk as `checkpoint_name`.

    `seconds` is what the round took on the driver's clock, all its attempts together. `spread` is
    of the updates' weights; None where nobody may see them.
    """

    model_digest: bytes
    checkpoint_name: str
    sums: Sums
    seconds: float = 0.0
    num_bytes: int = 0
    spread: Spread | None = None


class RoundFailed(_OfAttempt, frozen=True, kw_only=True, tag=True):
    """The attempt came to nothing; `cause` is a sentence with the phase and the counts."""

    cause: str


class Evaluated(_Fact, frozen=True, kw_only=True, tag=True):
    """The model after `round` was evaluated by `num_nodes` nodes; a repeat replaces the former."""

    round: int
    model_digest: bytes
    sums: Sums
    score: float
    num_nodes: int


class RolledBack(_OfAttempt, frozen=True, kw_only=True, tag=True):
    """The model after this round did not pass the gate, and `cause` says why (gate.py).

    It comes with the round's Evaluated, if there is one, in one transaction.
    """

    cause: str


class FederationEnded(_Fact, frozen=True, kw_only=True, tag=True):
    """Over for good; the result is the model after `result_round`."""

    reason: str
    result_round: int


class FederationPaused(_Fact, frozen=True, kw_only=True, tag=True):
    reason: str = ""


class FederationResumed(_Fact, frozen=True, kw_only=True, tag=True):
    """The operator let rounds go on."""


class Audited(_Fact, frozen=True, kw_only=True, tag=True):
    """An entry for the audit chain beyond those the store writes for every record by itself."""

    actor: str
    action: str
    object: str
    detail: str = ""


Record = (
    RoundStarted
    | PhaseEntered
    | UpdateReceived
    | SurvivorsChosen
    | RoundFinished
    | RoundFailed
    | Evaluated
    | RolledBack
    | FederationEnded
    | FederationPaused
    | FederationResumed
    | Audited
)
