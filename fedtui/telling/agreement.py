"""What an operator agrees to: plan and shape of the model, its summary, and what changed. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from fedtui.rounds import claims, compression, masking, promised
from fedtui.status import PlanSummary
from fedtui.telling import form
from fedtui.wire.labels import safe_label

if TYPE_CHECKING:
    from fedtui.learning.params import Manifest
    from fedtui.rounds.masking import Numbers
    from fedtui.rounds.plan import Plan
    from fedtui.wire.messages import Role

_MOST_OPTIONS = 200  # characters
_VISIBLE_SENTENCE = "updates are visible to the coordinator"


@dataclass(frozen=True, slots=True)
class Agreement:
    """Decoded and checked terms. `plan_hash` is 32 bytes."""

    plan: Plan
    manifest: Manifest
    plan_hash: bytes

    @property
    def upload_bytes(self) -> int:
        """What one update has on its way out."""
        return compression.update_bytes(self.plan, self.manifest.num_values)


def least_numbers(plan: Plan) -> Numbers:
    """What a masked plan promises of its smallest cohort, and so of every one."""
    return masking.numbers(plan, plan.minimum)


def differences(old: Agreement, new: Agreement) -> tuple[str, ...]:
    """Every value that changed between two plans, and the model's size, as sentences."""
    before, after = _flat(old.plan), _flat(new.plan)
    found = [
        f"{key}: was {before.get(key, 'not set')}, is {after.get(key, 'not set')}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]
    if old.manifest != new.manifest:
        found.append(f"the model: was {_size(old.manifest)}, is {_size(new.manifest)}")
    return tuple(found)


def _size(manifest: Manifest) -> str:
    megabytes = manifest.num_bytes / 1e6
    beside = f" beside frozen weights {manifest.frozen[:16]}" if manifest.frozen else ""
    return (
        f"{manifest.num_values:,} numbers in {len(manifest.tensors)} tensors ({megabytes:.2f} MB)"
        f"{beside}"
    )


def _flat(plan: Plan) -> dict[str, str]:
    found: dict[str, str] = {}
    for section, value in msgspec.to_builtins(plan).items():
        if isinstance(value, dict):
            found |= {f"[{section}] {key}": safe_label(str(one)) for key, one in value.items()}
        else:
            found[section] = str(value)
    return found


def summary(
    agreement: Agreement,
    *,
    role: Role = "participant",
    needs: str = "",
    differs: tuple[str, ...] = (),
) -> PlanSummary:
    """The plan as the operator of a node of this role reads it before saying yes."""
    plan, manifest = agreement.plan, agreement.manifest
    leaves, worst = form.leaves(agreement, role), form.worst(plan, role)
    return PlanSummary(
        plan_hash=agreement.plan_hash.hex(),
        federation=safe_label(plan.federation.name),
        task=plan.task.name,
        metric=plan.task.metric,
        target=plan.rounds.target,
        max_rounds=plan.rounds.maximum,
        strategy=_strategy(plan),
        training=_training(plan),
        model=_size(manifest),
        num_model_bytes=manifest.num_bytes,
        leaves=leaves,
        stays=form.STAYS,
        differs=differs,
        privacy=(claims.of_plan(plan) if plan.masked else _VISIBLE_SENTENCE)
        + promised.sentence(plan),
        needs=needs,
        worst=worst,
        form_hash=form.form_hash(leaves, form.STAYS, worst),
    )


def _strategy(plan: Plan) -> str:
    """Its name and options; a plan is checked before, so they are names and numbers."""
    options = (f"{key} = {value}" for key, value in plan.strategy.options.items())
    said = safe_label(", ".join(options), _MOST_OPTIONS)
    name = plan.strategy.name + _own(plan.strategy.sha256)
    picked = plan.selection
    by = f"; nodes picked by {picked.name}{_own(picked.sha256)}" if picked.sha256 else ""
    return (f"{name} ({said})" if said else name) + _aggregator(plan) + by


def _own(sha256: str) -> str:
    return f", a file of its operator's, SHA-256 {sha256}" if sha256 else ""


def _aggregator(plan: Plan) -> str:
    """How updates become one, where it is not their mean."""
    chosen = plan.aggregator
    if chosen.name == "mean" and chosen.mix is None:
        return ""
    options = [f"{key} = {value}" for key, value in chosen.options.items()]
    options += [] if chosen.mix is None else [f"mix = {chosen.mix:g}"]
    said = safe_label(", ".join(options), _MOST_OPTIONS)
    own = _own(chosen.sha256)
    return f"; updates combined by {chosen.name}{own}" + (f" ({said})" if said else "")


def _training(plan: Plan) -> str:
    spec = plan.training
    epochs = "1 epoch" if spec.epochs == 1 else f"{spec.epochs} epochs"
    length = f"{spec.steps} batches" if spec.steps else f"{epochs} in batches"
    more = {"momentum": spec.momentum, "weight decay": spec.weight_decay}
    more |= {"gradient bound": spec.clip_norm or 0, "update bound": spec.update_clip or 0}
    extras = "".join(f", {name} {value:g}" for name, value in more.items() if value)
    if spec.adversary is not None:
        extras += f", on pictures changed by {spec.adversary.attack} by {spec.adversary.radius:g}"
    return (
        f"{length} of {spec.batch_size} examples a round, {spec.optimizer}, "
        f"learning rate {spec.learning_rate:g}{extras}"
    )
