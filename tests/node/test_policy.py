"""What the operator decided is what happens."""

from dataclasses import replace

import msgspec
import pytest
from fake_federation import MANIFEST
from fake_federation import PLAN as VISIBLE_PLAN
from masked_cohort import PLAN as MASKED_PLAN

from fedtui.rounds.plan import PrivacySection
from fedtui.status import Limits
from fedtui.telling.agreement import Agreement
from node import policy
from node.config import NodeConfig, PrivacyTable, TaskTable
from node.consent import Consent
from node.policy import PlanFacts

PLAN = PlanFacts(plan_hash="aa" * 32, task="digits", task_sha256="", visible_updates=True)
SHOWN = PrivacyTable(require_masked=False)
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
    config = NodeConfig(task=TaskTable(allow=allow), privacy=SHOWN)
    assert (policy.refuses_plan(PLAN, config) is not None) is refused


def test_an_own_task_runs_only_if_this_very_file_was_added() -> None:
    plan = PlanFacts(plan_hash="a", task="mine", task_sha256="ab" * 32, visible_updates=True)
    assert policy.refuses_plan(plan, NodeConfig())
    assert policy.refuses_plan(plan, NodeConfig(task=TaskTable(sha256="cd" * 32)))
    assert (
        policy.refuses_plan(plan, NodeConfig(task=TaskTable(sha256="ab" * 32), privacy=SHOWN))
        is None
    )


@pytest.mark.parametrize(
    ("limit_mb", "today", "refused"),
    [(0, 10**12, False), (1, 0, False), (1, 1, True), (1.0, 999_999, True)],
)
def test_the_daily_limit_counts_what_left_already(
    limit_mb: float, today: int, refused: bool
) -> None:
    config = NodeConfig(limits=Limits(max_upload_mb_per_day=limit_mb))
    said = policy.refuses_upload(1_000_000, num_bytes_today=today, config=config)
    assert (said is not None) is refused


def test_only_participants_train() -> None:
    assert policy.refuses_training(NodeConfig()) is None
    assert policy.refuses_training(NodeConfig(role="evaluator"))


MASKED = PlanFacts(
    plan_hash="aa" * 32,
    task="digits",
    task_sha256="",
    visible_updates=False,
    minimum=4,
    colluders=2,
)


NOISY = replace(MASKED, hides=True)


@pytest.mark.parametrize(
    ("privacy", "plan", "words"),
    [
        (SHOWN, PLAN, ""),
        (PrivacyTable(), PLAN, "fedtui join --visible"),
        (PrivacyTable(), MASKED, ""),
        (PrivacyTable(require_masked=True), PLAN, "require_masked = true"),
        (PrivacyTable(require_masked=True), MASKED, ""),
        (PrivacyTable(minimum=4, colluders=2), MASKED, ""),
        (PrivacyTable(minimum=5), MASKED, "minimum = 5"),
        (PrivacyTable(colluders=3), MASKED, "colluders = 3"),
        (PrivacyTable(require_masked=False, minimum=9, colluders=9), PLAN, ""),
        (PrivacyTable(epsilon=4.0), MASKED, "the plan adds no noise"),
        (PrivacyTable(epsilon=4.0, require_masked=False), PLAN, "epsilon = 4"),
        (PrivacyTable(epsilon=4.0), NOISY, ""),
    ],
)
def test_a_plan_below_the_operators_floors_is_refused(
    privacy: PrivacyTable, plan: PlanFacts, words: str
) -> None:
    said = policy.refuses_plan(plan, NodeConfig(privacy=privacy))
    if not words:
        assert said is None
    else:
        assert said is not None
        assert words in said


@pytest.mark.parametrize("role", ["evaluator", "observer"])
def test_who_sends_no_updates_need_not_allow_that_they_are_seen(role: str) -> None:
    assert policy.refuses_plan(PLAN, NodeConfig(role=role)) is None


def test_a_masked_plan_needs_no_consent_to_visible_updates() -> None:
    hidden = msgspec.structs.replace(YES, visible_updates=False)
    assert policy.lacks_consent(MASKED, hidden) is None


def test_policy_sees_the_smallest_cohort_of_a_masked_plan() -> None:
    facts = policy.facts_of(Agreement(MASKED_PLAN, MANIFEST, b"h" * 32))
    assert (facts.visible_updates, facts.minimum, facts.colluders) == (False, 3, 1)
    privacy = PrivacySection(updates="masked", colluders=3)
    more = msgspec.structs.replace(MASKED_PLAN, privacy=privacy)
    facts = policy.facts_of(Agreement(more, MANIFEST, b"h" * 32))
    assert (facts.minimum, facts.colluders) == (5, 3)
    assert policy.facts_of(Agreement(VISIBLE_PLAN, MANIFEST, b"h" * 32)).visible_updates
