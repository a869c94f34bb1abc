"""What a plan's [dp] makes of everybody's numbers."""

import math

import msgspec
import numpy as np
import pytest
from masked_desk import masked_plan

from fedtui.learning.training import TrainingSpec
from fedtui.privacy import discrete_gaussian
from fedtui.privacy.noise import Noise
from fedtui.rounds import compression, hiding, masking
from fedtui.rounds.plan import (
    AggregatorSection,
    DpSection,
    EvaluationSection,
    Named,
    Plan,
    PrivacySection,
    TrafficSection,
    WeightsSection,
    check,
)

VISIBLE = PrivacySection(updates="visible")


def plan_of(mechanism: str = "distributed", **sections: object) -> Plan:
    usual = {
        "dp": DpSection(mechanism=mechanism, noise=1.5, delta=0.01),
        "training": TrainingSpec(update_clip=2.0),
        "weights": WeightsSection(by="equal"),
        "evaluation": EvaluationSection(holdout=0.0),
    }
    return msgspec.structs.replace(masked_plan(), **usual | sections)


def test_that_without_dp_nothing_is_done() -> None:
    plan = plan_of(dp=None)
    assert hiding.at_node(plan, 3) is None
    assert hiding.at_coordinator(plan, 4, 10, b"s" * 32) is None
    assert hiding.room(plan) == hiding.in_sum(plan, 9) == 0
    assert hiding.conflicts(plan) == []


@pytest.mark.parametrize(
    ("mechanism", "sigma"), [("central", 0.0), ("local", 3.0), ("distributed", 1.0)]
)
def test_what_a_node_adds_in_sums_of_nine_honest_nodes(mechanism: str, sigma: float) -> None:
    assert hiding.at_node(plan_of(mechanism), 9) == Noise(clip=2.0, sigma=sigma)


@pytest.mark.parametrize(("minimum", "colluders"), [(3, 1), (10, 2), (50, 10)])
def test_that_the_honest_nodes_of_the_smallest_sum_carry_all(minimum: int, colluders: int) -> None:
    honest = hiding.honest_of(minimum, colluders)
    noise = hiding.at_node(plan_of(), honest)
    assert honest == minimum - colluders
    assert noise.sigma * math.sqrt(minimum - colluders) == pytest.approx(1.5 * 2.0)


def test_what_a_coordinator_adds() -> None:
    assert hiding.at_coordinator(plan_of(), 8, 1000, b"s" * 32) is None
    assert hiding.at_coordinator(plan_of("local"), 8, 1000, b"s" * 32) is None
    nothing = np.zeros(50_000)
    central = hiding.at_coordinator(plan_of("central"), 8, 50_000, b"s" * 32)
    assert central.hide(nothing, 0).std() == pytest.approx(1.5 * 2.0 / 8, rel=0.02)
    by_plan = WeightsSection(by="plan", attribute="site", of={"a": 4})
    central = hiding.at_coordinator(plan_of("central", weights=by_plan), 8, 50_000, b"s" * 32)
    assert central.hide(nothing, 0).std() == pytest.approx(1.5 * 2.0 / 2, rel=0.02)


@pytest.mark.parametrize("mechanism", ["distributed", "local"])
@pytest.mark.parametrize("transforms", [(), (Named(name="hadamard"),)])
@pytest.mark.parametrize("group", [None, 3, 5])
def test_that_every_lane_has_room_for_the_largest_noise(
    mechanism: str, transforms, group: int | None
) -> None:
    """In the smallest cohort each node adds most: values still have their range beside it."""
    privacy = masked_plan().privacy if group is None else PrivacySection(group=group)
    plan = plan_of(mechanism, transforms=transforms, privacy=privacy)
    layout = masking.encoding(plan, 50_000, "update")
    for size in range(plan.minimum, plan.privacy.largest_cohort + 1):
        numbers = masking.numbers(plan, size)
        noise = hiding.at_node(plan, hiding.honest_of(numbers.minimum, numbers.colluders))
        tail = discrete_gaussian.most(noise.sigma * layout.scale)
        left = 2 ** (layout.value_bits - 1) - 1 - tail
        quiet = msgspec.structs.replace(plan, dp=DpSection(mechanism="central"))
        assert left >= masking.encoding(quiet, 50_000, "update").value_range * layout.scale
        assert noise.sigma * math.sqrt(size) <= hiding.in_sum(plan, size) * (1 + 1e-12)


def test_that_a_narrow_range_is_refused_with_the_one_that_does() -> None:
    wide = plan_of(privacy=PrivacySection(colluders=1, minimum=3, value_range=4.0))
    (found,) = hiding.conflicts(wide)
    assert "value_range = 4 leaves no room" in found
    enough = msgspec.structs.replace(wide.privacy, value_range=31.0)
    assert hiding.conflicts(msgspec.structs.replace(wide, privacy=enough)) == []


@pytest.mark.parametrize(
    ("mechanism", "sections", "words"),
    [
        ("distributed", {"privacy": VISIBLE}, "hides nobody where updates are visible"),
        ("central", {"training": TrainingSpec()}, "needs a bound"),
        ("local", {"evaluation": EvaluationSection()}, "what nodes hold out would leave"),
        ("distributed", {"weights": WeightsSection(cap=10)}, "number of examples would leave"),
        ("central", {"strategy": Named(name="qfedavg")}, "wants to know "),
        (
            "local",
            {"privacy": VISIBLE, "transforms": (Named(name="top_k"),)},
            "which values a node sends",
        ),
        (
            "central",
            {"privacy": VISIBLE, "traffic": TrafficSection(update_bytes=100)},
            "which values a node sends",
        ),
        (
            "central",
            {"privacy": VISIBLE, "transforms": (Named(name="random_subset"),)},
            "longer than the clip",
        ),
        (
            "central",
            {"privacy": VISIBLE, "aggregator": AggregatorSection(name="median")},
            "how far one node can move what median makes of all",
        ),
        ("central", {"privacy": PrivacySection(group=3)}, "reads the sums of groups before"),
    ],
)
def test_what_cannot_be_hidden_is_refused(mechanism: str, sections, words: str) -> None:
    plan = plan_of(mechanism, **sections)
    assert [one for one in check(plan) if words in one]


@pytest.mark.parametrize("mechanism", ["distributed", "central", "local"])
def test_that_what_fits_has_no_conflict(mechanism: str) -> None:
    subset = Named(name="random_subset")
    assert hiding.conflicts(plan_of(mechanism, transforms=(subset, Named(name="hadamard")))) == []
    if mechanism != "distributed":
        assert hiding.conflicts(plan_of(mechanism, privacy=VISIBLE)) == []


@pytest.mark.parametrize(("lanes", "num_values", "fits"), [(2, 10**6, True), (4, 10**6, False)])
def test_that_steps_that_are_too_large_are_a_misfit(
    lanes: int, num_values: int, fits: bool
) -> None:
    privacy = PrivacySection(colluders=1, minimum=3, lanes=lanes)
    said = compression.misfit(plan_of(privacy=privacy), num_values)
    assert (not said) == fits
    assert fits or f"the steps of {num_values:,} values are too large" in said
