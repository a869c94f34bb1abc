"""No honest update is too long, whatever the plan makes of it; one that nobody cut is."""

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from a_masked_cohort import MASKED_PLAN
from hypothesis import given
from hypothesis import strategies as st

from fedtui.combining.bounding import longest, too_long
from fedtui.learning.training import TrainingSpec
from fedtui.privacy.noise import noised
from fedtui.rounds import compression, hiding
from fedtui.rounds.plan import DpSection, Named, Plan, PrivacySection
from fedtui.rounds.shrinking import Spot, sent
from fedtui.simulation.mixing import Values

D = 70_000
"""More than a block."""
CLIP = 2.0


def plan(clip: float | None = CLIP, **more: Any) -> Plan:
    more = {"privacy": PrivacySection(updates="visible")} | more
    return msgspec.structs.replace(MASKED_PLAN, training=TrainingSpec(update_clip=clip), **more)


def of_length(length: float, seed: int = 1) -> np.ndarray:
    update_D = np.random.default_rng(seed).standard_normal(D)
    return (update_D * (length / np.linalg.norm(update_D))).astype(np.float32)


def leaving(its_plan: Plan, update_D: np.ndarray) -> np.ndarray:
    """What an honest node sends: shrunk, and hidden if the plan says so."""
    vector_M = sent(compression.chain(its_plan, D), update_D, None, Spot(1, 1)).vector_M
    noise = hiding.at_node(its_plan)
    return vector_M if noise is None else noised(vector_M, noise, b"s" * 32)


def judged(its_plan: Plan, update_D: np.ndarray) -> str | None:
    return too_long(Values(leaving(its_plan, update_D)), longest(its_plan, D))


@pytest.mark.parametrize(
    "transforms",
    [
        (),
        (Named(name="hadamard"),),
        (Named(name="random_subset", options={"fraction": 0.1}),),
        (Named(name="hadamard"), Named(name="random_subset")),
    ],
)
@given(seed=st.integers(0, 2**32))
def test_A5_what_is_cut_passes_and_what_is_twice_as_long_does_not(
    transforms: tuple[Named, ...], seed: int
) -> None:
    its_plan = plan(transforms=transforms)
    assert judged(its_plan, of_length(CLIP, seed)) is None
    subset = any(one.name == "random_subset" for one in transforms)
    said = judged(its_plan, of_length(CLIP * (20 if subset else 1.01), seed))
    assert said is not None
    assert f"longer than {CLIP * (1 + 1e-5):.6g}" in said


@pytest.mark.parametrize(("mechanism", "reach"), [("central", 1.01), ("local", 50.0)])
def test_under_dp_the_noise_of_the_node_has_its_room(mechanism: Any, reach: float) -> None:
    its_plan = plan(dp=DpSection(mechanism=mechanism, noise=0.1))
    assert judged(its_plan, of_length(100 * CLIP)) is None  # the node cuts before it hides
    naked = Values(of_length(CLIP * reach))
    assert too_long(naked, longest(its_plan, D)) is not None


def test_local_noise_hides_what_is_shorter_than_itself() -> None:
    its_plan = plan(dp=DpSection(mechanism="local", noise=0.1))
    most = longest(its_plan, D)
    assert most is not None
    assert most / CLIP == pytest.approx(1 + 0.1 * (math.sqrt(D) + 7), rel=1e-4)


@pytest.mark.parametrize(
    "its_plan",
    [
        plan(None),
        plan(privacy=PrivacySection(updates="masked")),
        plan(transforms=(Named(name="top_k", options={"fraction": 0.05}),)),
    ],
)
def test_some_plans_have_no_bound_of_a_single_update(its_plan: Plan) -> None:
    assert longest(its_plan, D) is None
    assert too_long(Values(of_length(1e6)), None) is None
