"""What the coordinator asks this node to agree to: plan and shape of the model, and a summary.

`Terms` arrive as one bulk stream, are checked against the hash that the coordinator announced, and
are kept in `terms.bin`, so that a restart need not fetch them. The summary is what people read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from fedtui.errors import RemoteProtocolError
from fedtui.learning.metrics import sums_for
from fedtui.rounds import claims, masking
from fedtui.rounds import plan as plans
from fedtui.rounds.plan import MASKED, VISIBLE, Plan
from fedtui.status import Leaves, PlanSummary
from fedtui.wire import codec
from fedtui.wire.labels import safe_label
from fedtui.wire.messages import MAX_PLAN_BYTES, Terms
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


def differences(old: Plan, new: Plan) -> tuple[str, ...]:
    """Every value that changed between two plans, as sentences."""
    before, after = _flat(old), _flat(new)
    return tuple(
        f"{key}: {before.get(key, 'not set')} is now {after.get(key, 'not set')}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
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
    label: str,
    role: Role = "participant",
    differs: tuple[str, ...] = (),
) -> PlanSummary:
    """The plan as the operator of a node of this role reads it before saying yes."""
    plan, manifest = agreement.plan, agreement.manifest
    megabytes = manifest.num_bytes / 1e6
    return PlanSummary(
        plan_hash=agreement.plan_hash.hex(),
        federation=safe_label(plan.federation.name),
        task=plan.task.name,
        metric=plan.task.metric,
        target=plan.rounds.target,
        max_rounds=plan.rounds.maximum,
        strategy=plan.strategy.name,
        training=_training(plan),
        model=f"{manifest.num_values:,} numbers in {len(manifest.tensors)} tensors "
        f"({megabytes:.2f} MB)",
        num_model_bytes=manifest.num_bytes,
        leaves=_leaves(agreement, label, role),
        stays="your examples, their names and paths, and your local model",
        differs=differs,
        privacy=claims.of_plan(plan) if plan.masked else _VISIBLE_SENTENCE,
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


def _leaves(agreement: Agreement, label: str, role: Role) -> tuple[Leaves, ...]:
    connection = Leaves(
        item=f"the name {label!r}, public keys, IP address, times, progress",
        form=VISIBLE,
        reader="the coordinator; the address and times: whoever is on the way",
        when="while connected",
    )
    match role:
        case "observer":
            return (connection,)
        case "evaluator":
            return (_sums_of_an_evaluator(agreement.plan), connection)
        case _ if agreement.plan.masked:
            return (*_masked_work(agreement), connection)
        case _:
            return (*_visible_work(agreement), connection)


def _visible_work(agreement: Agreement) -> tuple[Leaves, ...]:
    return (
        Leaves(
            item=f"update of the model ({agreement.manifest.num_bytes / 1e6:.2f} MB)",
            form=VISIBLE,
            reader="the coordinator: it can examine each one",
            when="each round you are picked for",
        ),
        Leaves(
            item=f"number of your examples, sums over them ({_sums(agreement.plan)})",
            form=VISIBLE,
            reader="the coordinator",
            when="with each update and each evaluation",
        ),
    )


def _masked_work(agreement: Agreement) -> tuple[Leaves, ...]:
    least = least_numbers(agreement.plan)
    nodes = "1 of them colludes" if least.colluders == 1 else f"{least.colluders} of them collude"
    reader = (
        f"nobody: the coordinator reads the sum of at least {least.minimum} nodes, as long as at "
        f"most {nodes} with it"
    )
    return (
        Leaves(
            item=f"update of the model ({agreement.upload_bytes / 1e6:.2f} MB)",
            form=MASKED,
            reader=reader,
            when="each round you are picked for",
        ),
        Leaves(
            item=f"number of your examples, sums over them ({_sums(agreement.plan)})",
            form=MASKED,
            reader=reader,
            when="with each update and each evaluation",
        ),
    )


def _sums_of_an_evaluator(plan: Plan) -> Leaves:
    """Visible under masks, too: there is nobody to add them up with."""
    return Leaves(
        item=f"sums over your test examples ({_sums(plan)})",
        form=VISIBLE,
        reader="the coordinator",
        when="with each evaluation",
    )


def _sums(plan: Plan) -> str:
    return ", ".join(sums_for(plan.task.metric))
