"""The plan: all that a node consents to, and the check that its choices fit together.

`plan.toml` holds it, the coordinator serves it, every node's operator reads and accepts it, and
`plan_hash` covers it together with the model's manifest: any change asks every operator again.
"""

import math
from typing import Annotated, Literal

import msgspec

from fedtui.crypto.keys import digest
from fedtui.crypto.keystream import Keystream
from fedtui.learning.metrics import METRICS, higher_is_better
from fedtui.learning.params import Manifest
from fedtui.learning.training import TrainingSpec
from fedtui.rounds import (
    choices,
    compression,
    gate,
    guiding,
    hiding,
    lateness,
    masking,
    owned,
    promised,
    robust,
    strategic,
)
from fedtui.wire import declared
from fedtui.wire.changes import Bits
from fedtui.wire.codec import canonical

Scalar = bool | int | float | str
Option = Scalar | list[Scalar] | dict[str, Scalar]
Options = dict[str, Option]
Positive = Annotated[float, msgspec.Meta(gt=0, le=1e7)]
Pin = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?$")]
PlannedWeight = Annotated[int, msgspec.Meta(ge=1, le=65_536)]


# The form in which updates and sums leave a node: what its operator consents to and what the
# ledger writes is the same sentence.
VISIBLE = "encrypted to the coordinator, visible to it"
MASKED = "masked: the coordinator can read sums of nodes only"
DEFAULT_WEIGHT_CAP = 65_536
"""The most examples that count under masks, where the plan says nothing."""


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of plan.toml; an unknown key in it is an error."""


class FederationSection(_Section, frozen=True, kw_only=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=48)]


class TaskSection(_Section, frozen=True, kw_only=True):
    """`sha256` is set for an operator's own task file: a node must hold that very file."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
    metric: str = "accuracy"
    sha256: Pin = ""
    options: Options = {}


class Named(_Section, frozen=True, kw_only=True):
    """`sha256` is set for a file of the operator's own (rounds/owned.py)."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
    options: Options = {}
    sha256: Pin = ""


class AggregatorSection(Named, frozen=True, kw_only=True):
    """How the updates of a round become one (docs/robustness.md).

    With `mix` each is first replaced by the mean of those nearest to it, as many as there are
    without the `mix` that are reckoned bad (below 1: that share of them).
    """

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,47}$")] = "mean"
    mix: Annotated[float, msgspec.Meta(gt=0, le=2**15)] | None = None


class SelectionSection(_Section, frozen=True, kw_only=True):
    """Who takes part: `count` nodes or this `fraction` of those present, at least `minimum`.

    `sha256` is set for a file of the operator's own (rounds/owned.py).
    """

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,47}$")] = "uniform"
    fraction: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    count: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None
    minimum: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 2
    options: Options = {}
    sha256: Pin = ""


class RoundsSection(_Section, frozen=True, kw_only=True):
    """When the federation begins, and when it ends: whichever comes first.

    The first round waits for `start_with` participants (default: the selection's minimum).
    `patience` ends it after that many rounds without a better score; `seconds` counts rounds only.
    """

    start_with: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None
    maximum: Annotated[int, msgspec.Meta(ge=1, le=10**6)] = 100
    target: float | None = None
    patience: Annotated[int, msgspec.Meta(ge=1)] | None = None
    seconds: Positive | None = None


class DeadlinesSection(_Section, frozen=True, kw_only=True):
    """Seconds that each phase may take; who is late is left behind, never waited for.

    With `learn` the time for an update is `slack` times the `quantile` of the times that nodes
    needed before, and `update_s` the most that it can be (rounds/picking.py). With `partial` a
    node that will not finish in time sends what it has (rounds/partial.py). Who is late all the
    same trains in vain; or, with `late` "buffer", goes on and adds to a later round, at most
    `max_staleness` rounds after the one that it trained for (rounds/lateness.py).
    """

    accept_s: Positive = 30.0
    update_s: Positive = 600.0
    rejoin_s: Positive = 15.0
    evaluate_s: Positive = 120.0
    share_s: Positive = 30.0
    mask_s: Positive = 300.0
    reveal_s: Positive = 60.0
    learn: bool = False
    quantile: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.5
    slack: Annotated[float, msgspec.Meta(ge=1, le=100)] = 2.0
    partial: bool = False
    late: Literal["drop", "buffer"] = "drop"
    max_staleness: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10


class EvaluationSection(_Section, frozen=True, kw_only=True):
    """Who measures each new model: a node of role evaluator, or the participants themselves.

    `holdout` is the share of its own examples that a participant never trains on. With an
    evaluator it is 0 unless the plan says otherwise, and the evaluator's figure is the score.
    """

    with_evaluator: bool = False
    holdout: Annotated[float, msgspec.Meta(ge=0, le=0.9)] | None = None

    @property
    def held_out(self) -> float:
        """The share that is held out in effect."""
        if self.holdout is not None:
            return self.holdout
        return 0.0 if self.with_evaluator else 0.2


class GateSection(_Section, frozen=True, kw_only=True):
    """Rounds are rolled back whose model is worse than before by more than `tolerance` (gate.py).

    None: every usable model is gone on from.
    """

    tolerance: Annotated[float, msgspec.Meta(gt=0, le=10)] | None = None


class WeightsSection(_Section, frozen=True, kw_only=True):
    """An update counts by its examples (at most `cap` of them), each equally, or by the plan.

    By the plan: as `of` says for the value that the node declares of `attribute`; 1 for others.
    """

    by: Literal["examples", "equal", "plan"] = "examples"
    cap: Annotated[int, msgspec.Meta(ge=1, le=2**40)] | None = None
    attribute: Annotated[str, msgspec.Meta(max_length=32)] = ""
    of: Annotated[dict[declared.Value, PlannedWeight], msgspec.Meta(max_length=64)] = {}


class PrivacySection(_Section, frozen=True, kw_only=True):
    """Who can read a single update: the coordinator (`visible`), or nobody (`masked`).

    Under masks: `colluders` nodes may be in league with the coordinator (default: a fifth of those
    invited), a sum has at least `minimum` nodes (default: half of them), and `dropouts` of a
    cohort may be lost. `largest_cohort`, `lanes` and `value_range` say how numbers are written
    (secagg/encoding.py; no `value_range`: rounds/compression.py). `keystream` makes the masks:
    `aegis256` in rounds in which every node's processor has AES, else `chacha20`. With `group` a
    cohort is split into random groups of at least so many nodes, whose sums the coordinator reads
    one by one; `minimum` is then that of a group.
    """

    updates: Literal["masked", "visible"] = "masked"
    colluders: Annotated[int, msgspec.Meta(ge=1, le=2**15)] | None = None
    minimum: Annotated[int, msgspec.Meta(ge=3, le=2**15)] | None = None
    dropouts: Annotated[int, msgspec.Meta(ge=0, le=2**15)] = 0
    largest_cohort: Annotated[int, msgspec.Meta(ge=3, le=2**14)] = 100
    lanes: Literal[2, 3, 4] = 2
    value_range: Annotated[float, msgspec.Meta(gt=0, le=1024)] | None = None
    keystream: Keystream = "chacha20"
    group: Annotated[int, msgspec.Meta(ge=3, le=64)] | None = None


class TrafficSection(_Section, frozen=True, kw_only=True):
    """What travels instead of whole models and updates.

    With `model_bits` a node that holds an older model gets the change from it (wire/changes.py):
    of 32 bits a value without any loss, of fewer the model itself is rounded so. `update_bytes` is
    the most that an update may have (None: no limit); without `[[transforms]]` it chooses them,
    and the lanes (rounds/compression.py).
    """

    model_bits: Bits | None = None
    update_bytes: Annotated[int, msgspec.Meta(ge=1, le=2**40)] | None = None


class DpSection(_Section, frozen=True, kw_only=True):
    """Differential privacy of nodes: who adds the noise, and what it must do (docs/privacy.md).

    `noise` is its sigma in what is summed, in clips. With it every node spends an epsilon at
    `delta` in all `rounds.maximum` rounds together; with `epsilon` that is bounded, else told.
    """

    mechanism: Literal["distributed", "central", "local"] = "distributed"
    noise: Annotated[float, msgspec.Meta(gt=0, le=1000)] = 1.0
    delta: Annotated[float, msgspec.Meta(gt=0, lt=1)] | None = None
    epsilon: Annotated[float, msgspec.Meta(gt=0, le=1e5)] | None = None


class Plan(_Section, frozen=True, kw_only=True):
    federation: FederationSection
    task: TaskSection
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 1
    training: TrainingSpec = TrainingSpec()
    strategy: Named = Named(name="fedavg")
    aggregator: AggregatorSection = AggregatorSection()
    selection: SelectionSection = SelectionSection()
    rounds: RoundsSection = RoundsSection()
    deadlines: DeadlinesSection = DeadlinesSection()
    evaluation: EvaluationSection = EvaluationSection()
    gate: GateSection = GateSection()
    weights: WeightsSection = WeightsSection()
    privacy: PrivacySection = PrivacySection()
    transforms: Annotated[tuple[Named, ...], msgspec.Meta(max_length=4)] = ()
    traffic: TrafficSection = TrafficSection()
    dp: DpSection | None = None

    @property
    def masked(self) -> bool:
        """Whether the coordinator sees sums only."""
        return self.privacy.updates == "masked"

    @property
    def minimum(self) -> int:
        """The least participants of any round."""
        if not self.masked:
            return self.selection.minimum
        if self.privacy.group is not None:
            return max(self.selection.minimum, masking.LEAST_GROUPS * self.privacy.group)
        return max(self.selection.minimum, self.privacy.minimum or 3, self.least_colluders + 2)

    @property
    def least_colluders(self) -> int:
        """How many colluders are reckoned with in the smallest cohort."""
        return self.privacy.colluders or 1

    @property
    def weight_cap(self) -> int:
        """How much counts as a full weight under masks."""
        if self.weights.by == "equal":
            return 1
        if self.weights.by == "plan":
            return max(self.weights.of.values(), default=1)
        return self.weights.cap or DEFAULT_WEIGHT_CAP


def plan_hash(plan: Plan, manifest: Manifest) -> bytes:
    """H(plan): 32 bytes over the plan and the shape of the model."""
    return digest("fedtui1-plan", canonical(plan), manifest.digest())


def check(plan: Plan) -> list[str]:
    """Every conflict between the plan's choices, each a sentence that says what to change."""
    found = owned.conflicts(plan) + choices.conflicts(plan) + strategic.conflicts(plan)
    found += robust.conflicts(plan) + compression.conflicts(plan) + hiding.conflicts(plan)
    found += guiding.conflicts(plan) + gate.conflicts(plan) + lateness.conflicts(plan)
    found += promised.conflicts(plan)
    if (plan.rounds.target or plan.rounds.patience) and not (
        plan.evaluation.with_evaluator or plan.evaluation.held_out
    ):
        found.append(
            "[rounds] target and patience need a score, and nobody measures one: "
            "set [evaluation] holdout above 0 or with_evaluator = true"
        )
    found += _never_reached(plan)
    return found + masking.conflicts(plan)


def _never_reached(plan: Plan) -> list[str]:
    """The sentence for a target that no round can reach, such as an accuracy of 95."""
    target, metric = plan.rounds.target, plan.task.metric
    if target is None or metric not in METRICS:
        return []
    if not math.isfinite(target):
        return [f"[rounds] target = {target}: write a number that a round can reach"]
    if higher_is_better(metric) and target > 1:
        return [f"[rounds] target = {target:g}: {metric} is at most 1, so write 0.95 for 95 %"]
    if not higher_is_better(metric) and target < 0:
        return [f"[rounds] target = {target:g}: {metric} is never below 0"]
    return []
