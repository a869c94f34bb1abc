"""What the coordinator asks this node to agree to: plan and shape of the model, and a summary.

`Terms` arrive as one bulk stream, are checked against the hash that the coordinator announced, and
are kept in `terms.bin`, so that a restart need not fetch them. The summary is what people read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from fedtui.errors import RemoteProtocolError
from fedtui.rounds import claims, masking
from fedtui.rounds import plan as plans
from fedtui.rounds.plan import Plan
from fedtui.status import PlanSummary
from fedtui.wire import codec
from fedtui.wire.labels import safe_label
from fedtui.wire.messages import MAX_PLAN_BYTES, Terms
from node import form
from node.paths import write_atomically
from node.policy import PlanFacts

if TYPE_CHECKING:
    from pathlib import Path

    from fedtui.learning.params import Manifest
    from fedtui.rounds.masking import Numbers
    from fedtui.wire.messages import Role

MAX_TERMS_BYTES = 4 * MAX_PLAN_BYTES
_VISIBLE_SENTENCE = "updates are visible to the coordinator"


@dataclass(frozen=True, slots=True)
class Agreement:
    """Decoded and checked terms. `plan_hash` is 32 bytes."""

    plan: Plan
    manifest: Manifest
    plan_hash: bytes

    @property
    def facts(self) -> PlanFacts:
        """What policy looks at."""
        least = least_numbers(self.plan) if self.plan.masked else None
        return PlanFacts(
            plan_hash=self.plan_hash.hex(),
            task=self.plan.task.name,
            task_sha256=self.plan.task.sha256,
            visible_updates=self.plan.privacy.updates == "visible",
            minimum=least.minimum if least else 0,
            colluders=least.colluders if least else 0,
        )

    @property
    def upload_bytes(self) -> int:
        """What one update has on its way out."""
        if not self.plan.masked:
            return self.manifest.num_bytes
        return masking.encoding(self.plan, self.manifest.num_values, "update").num_bytes


def least_numbers(plan: Plan) -> Numbers:
    """What a masked plan promises of its smallest cohort, and so of every one."""
    return masking.numbers(plan, plan.minimum)


def read(data: bytes, announced_hash: bytes) -> Agreement:
    """The terms in `data`. Raises RemoteProtocolError if they are not those of this hash."""
    plan, manifest = _decode(data)
    found = plans.plan_hash(plan, manifest)
    if found != announced_hash:
        raise RemoteProtocolError(
            f"the coordinator announced plan {announced_hash.hex()} and sent {found.hex()}"
        )
    return Agreement(plan, manifest, found)


def load(path: Path, announced_hash: bytes | None = None) -> Agreement | None:
    """The terms kept from before: if they are those of this hash, or whichever they are."""
    try:
        data = path.read_bytes()
        return read(data, announced_hash or _hash_of(data))
    except (OSError, RemoteProtocolError):
        return None


def _hash_of(data: bytes) -> bytes:
    plan, manifest = _decode(data)
    return plans.plan_hash(plan, manifest)


def _decode(data: bytes) -> tuple[Plan, Manifest]:
    terms = codec.decode(data, Terms, max_bytes=MAX_TERMS_BYTES, max_text_bytes=MAX_TERMS_BYTES)
    plan = codec.decode(terms.plan, Plan, max_bytes=MAX_PLAN_BYTES, max_text_bytes=4096)
    return plan, terms.manifest


def save(path: Path, data: bytes) -> None:
    """Keep terms that `read` accepted."""
    write_atomically(path, data)


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
    return (
        f"{manifest.num_values:,} numbers in {len(manifest.tensors)} tensors ({megabytes:.2f} MB)"
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
        strategy=plan.strategy.name,
        training=_training(plan),
        model=_size(manifest),
        num_model_bytes=manifest.num_bytes,
        leaves=leaves,
        stays=form.STAYS,
        differs=differs,
        privacy=claims.of_plan(plan) if plan.masked else _VISIBLE_SENTENCE,
        needs=needs,
        worst=worst,
        form_hash=form.form_hash(leaves, form.STAYS, worst),
    )


def _training(plan: Plan) -> str:
    spec = plan.training
    epochs = "1 epoch" if spec.epochs == 1 else f"{spec.epochs} epochs"
    length = f"{spec.steps} batches" if spec.steps else f"{epochs} in batches"
    more = {"momentum": spec.momentum, "weight decay": spec.weight_decay}
    more |= {"gradient bound": spec.clip_norm or 0, "update bound": spec.update_clip or 0}
    extras = "".join(f", {name} {value:g}" for name, value in more.items() if value)
    return (
        f"{length} of {spec.batch_size} examples a round, {spec.optimizer}, "
        f"learning rate {spec.learning_rate:g}{extras}"
    )
