"""What the operator decided is what happens."""

import msgspec
import pytest

from node import policy
from node.config import LimitsTable, NodeConfig, TaskTable
from node.consent import Consent
from node.policy import PlanFacts

PLAN = PlanFacts(plan_hash="aa" * 32, task="digits", task_sha256="", visible_updates=True)
YES = Consent(plan_hash="aa" * 32, coordinator_id="c", at=1.0, visible_updates=True)


def test_consent_covers_one_plan_and_one_kind_of_visibility() -> None:
    assert policy.lacks_consent(PLAN, YES) is None
    assert policy.lacks_consent(PLAN, None)
    other = msgspec.structs.replace(YES, plan_hash="bb" * 32)
    said = policy.lacks_consent(PLAN, other)
    assert said is not None
    assert "aa" * 32 in said
    assert "bb" * 32 in said
    hidden = msgspec.structs.replace(YES, visible_updates=False)
    assert policy.lacks_consent(PLAN, hidden)


@pytest.mark.parametrize(
    ("allow", "refused"), [([], False), (["digits"], False), (["tabular"], True)]
)
def test_only_allowed_tasks_run(allow: list[str], refused: bool) -> None:
    config = NodeConfig(task=TaskTable(allow=allow))
    assert (policy.refuses_plan(PLAN, config) is not None) is refused


def test_an_own_task_runs_only_if_this_very_file_was_added() -> None:
    plan = PlanFacts(plan_hash="a", task="mine", task_sha256="ab" * 32, visible_updates=True)
    assert policy.refuses_plan(plan, NodeConfig())
    assert policy.refuses_plan(plan, NodeConfig(task=TaskTable(sha256="cd" * 32)))
    assert policy.refuses_plan(plan, NodeConfig(task=TaskTable(sha256="ab" * 32))) is None


@pytest.mark.parametrize(
    ("limit_mb", "today", "refused"),
    [(0, 10**12, False), (1, 0, False), (1, 1, True), (1.0, 999_999, True)],
)
def test_the_daily_limit_counts_what_left_already(
    limit_mb: float, today: int, refused: bool
) -> None:
    config = NodeConfig(limits=LimitsTable(max_upload_mb_per_day=limit_mb))
    said = policy.refuses_upload(1_000_000, num_bytes_today=today, config=config)
    assert (said is not None) is refused


def test_only_participants_train() -> None:
    assert policy.refuses_training(NodeConfig()) is None
    assert policy.refuses_training(NodeConfig(role="evaluator"))
