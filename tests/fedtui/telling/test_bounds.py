"""What is said of a bound is what the code refuses."""

from typing import Any

import msgspec
import numpy as np
import pytest
from a_masked_cohort import MASKED_PLAN

from fedtui.combining import bounding
from fedtui.learning.training import TrainingSpec
from fedtui.rounds import masking
from fedtui.rounds.plan import DpSection, Named, Plan, PrivacySection, WeightsSection, check
from fedtui.telling.bounds import of_updates

D = 1_000_000
VISIBLE = PrivacySection(updates="visible")
GROUPS = PrivacySection(group=3, largest_cohort=30)
TOP = (Named(name="top_k"),)


def plan(clip: float | None = 0.5, **more: Any) -> Plan:
    more = {
        "training": TrainingSpec(update_clip=clip),
        "weights": WeightsSection(by="equal"),
    } | more
    return msgspec.structs.replace(MASKED_PLAN, **more)


def dp(mechanism: Any) -> dict[str, Any]:
    evaluation = msgspec.structs.replace(MASKED_PLAN.evaluation, holdout=0.0)
    return {"dp": DpSection(mechanism=mechanism), "evaluation": evaluation}


@pytest.mark.parametrize(
    ("its_plan", "said"),
    [
        (plan(None), "one node can move the model as far as it likes"),
        (plan(privacy=VISIBLE), "one that is longer than 0.5 is refused"),
        (plan(privacy=VISIBLE, transforms=TOP), "nobody checks it"),
        (plan(privacy=VISIBLE, **dp("central")), "one that is longer than 0.5 is refused"),
        (plan(privacy=VISIBLE, **dp("local")), "longer than 504 is refused: its own noise"),
        (plan(), "costs the round, and tells of nobody: among 3 nodes"),
        (plan(privacy=GROUPS), "counts against all of its members: among 3 nodes"),
        (plan(privacy=GROUPS, **dp("distributed")), "their own programs alone"),
    ],
)
def test_each_kind_of_plan_has_its_sentence(its_plan: Plan, said: str) -> None:
    assert check(its_plan) == []
    assert said in of_updates(its_plan, D)
    assert ("their own programs" in said) == ("their own programs" in of_updates(its_plan, D))


def test_what_is_found_at_the_latest_is_what_the_mean_can_hide() -> None:
    """Two honest nodes that pull against the cheater, as far as the clip lets them."""
    its_plan = plan(privacy=GROUPS)
    layout = masking.encoding(its_plan, D, "update")
    most = bounding.longest_mean(its_plan, layout, 3, 3.0)
    assert most is not None
    reach = (3 * most + 2 * 0.5) / 0.5
    assert f"from {reach:,.0f} times" in of_updates(its_plan, D)
    honest = -0.5 * np.ones(2)
    assert abs(honest.sum() + 0.5 * reach) / 3 == pytest.approx(most)
