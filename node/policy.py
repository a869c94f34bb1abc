"""Policy: whether this node does what it is asked, by what its operator decided. Pure.

Each function returns None, or the sentence that goes to the operator (and, where a round is
declined, to the coordinator).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedtui.telling.agreement import least_numbers

if TYPE_CHECKING:
    from fedtui.telling.agreement import Agreement
    from node.config import NodeConfig
    from node.consent import Consent

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """What policy needs to know of a plan; `visible_updates`: the coordinator can read each.

    Where it cannot: the least nodes of any sum, and how many colluders are reckoned with. `hides`:
    there is noise in what anybody reads.
    """

    plan_hash: str
    task: str
    task_sha256: str
    visible_updates: bool
    minimum: int = 0
    colluders: int = 0
    hides: bool = False


def facts_of(agreement: Agreement) -> PlanFacts:
    """What policy looks at."""
    plan = agreement.plan
    least = least_numbers(plan) if plan.masked else None
    return PlanFacts(
        plan_hash=agreement.plan_hash.hex(),
        task=plan.task.name,
        task_sha256=plan.task.sha256,
        visible_updates=plan.privacy.updates == "visible",
        minimum=least.minimum if least else 0,
        colluders=least.colluders if least else 0,
        hides=plan.dp is not None,
    )


def refuses_plan(plan: PlanFacts, config: NodeConfig) -> str | None:
    """Whether node.toml forbids this plan, whatever the operator is asked."""
    allow = config.task.allow
    if allow and plan.task not in allow:
        return (
            f"the plan's task {plan.task!r} is not among those that node.toml allows "
            f"({', '.join(allow)})"
        )
    if plan.task_sha256 and config.task.sha256 != plan.task_sha256:
        return (
            f"the plan names a task file of your own with hash {plan.task_sha256[:16]}..., "
            f"this node has {config.task.sha256[:16] + '...' if config.task.sha256 else 'none'}: "
            "get the file from a person you trust, read it, then 'fedtui task add FILE'"
        )
    return _refuses_privacy(plan, config) if config.role == "participant" else None


def _refuses_privacy(plan: PlanFacts, config: NodeConfig) -> str | None:
    privacy = config.privacy
    if privacy.epsilon and not plan.hides:
        return (
            "the plan adds no noise, so that what its sums tell of this node has no bound, and "
            f"node.toml says [privacy] epsilon = {privacy.epsilon:g}"
        )
    if plan.visible_updates:
        if privacy.require_masked:
            return (
                "the plan shows each update to the coordinator, and node.toml says [privacy] "
                "require_masked = true; to allow it: fedtui join --visible"
            )
        return None
    if plan.minimum < privacy.minimum:
        return (
            f"the plan opens sums of {plan.minimum} nodes, and node.toml says [privacy] "
            f"minimum = {privacy.minimum}"
        )
    if plan.colluders < privacy.colluders:
        return (
            f"the plan reckons with {plan.colluders} colluding nodes in its smallest cohort, and "
            f"node.toml says [privacy] colluders = {privacy.colluders}"
        )
    return None


def lacks_consent(plan: PlanFacts, consent: Consent | None) -> str | None:
    """Whether the operator still has to agree to this plan."""
    if consent is None:
        return "nobody here has agreed to the plan yet"
    if consent.plan_hash != plan.plan_hash:
        return (
            f"the plan changed: you agreed to {consent.plan_hash}, "
            f"the coordinator now has {plan.plan_hash}"
        )
    if plan.visible_updates and not consent.visible_updates:
        return "the plan shows your updates to the coordinator, which you did not allow"
    return None


def refuses_upload(num_bytes: int, *, num_bytes_today: int, config: NodeConfig) -> str | None:
    """Whether sending this much more today would pass the operator's limit."""
    limit_mb = config.limits.max_upload_mb_per_day
    if limit_mb and num_bytes_today + num_bytes > limit_mb * MB:
        return (
            f"the operator's limit of {limit_mb:g} MB a day is used up "
            f"({num_bytes_today / MB:.1f} MB sent today)"
        )
    return None


def refuses_training(config: NodeConfig) -> str | None:
    """Whether this node trains at all."""
    if config.role != "participant":
        return f"this node is an {config.role} and does not train"
    return None
