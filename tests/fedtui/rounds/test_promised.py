"""What a plan promises: the noise of rounds, who was in them, and the numbers of [dp]."""

import math
from pathlib import Path

import dp_accounting
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui import tomlfile
from fedtui.learning.training import TrainingSpec
from fedtui.privacy.spending import Release, together
from fedtui.rounds import hiding, masking, promised
from fedtui.rounds.plan import (
    DpSection,
    EvaluationSection,
    FederationSection,
    Plan,
    PrivacySection,
    RoundsSection,
    SelectionSection,
    TaskSection,
    WeightsSection,
    check,
)
from fedtui.tomlfile import ConfigError


def plan_of(mechanism: str = "distributed", **sections: object) -> Plan:
    usual = {
        "dp": DpSection(mechanism=mechanism, noise=2.0, delta=1e-4),
        "training": TrainingSpec(update_clip=1.0),
        "weights": WeightsSection(by="equal"),
        "evaluation": EvaluationSection(holdout=0.0),
        "privacy": PrivacySection(colluders=2, minimum=6),
        "rounds": RoundsSection(maximum=20),
    }
    return Plan(
        federation=FederationSection(name="f"), task=TaskSection(name="digits"), **usual | sections
    )


def of_event(releases: tuple[Release, ...], delta: float) -> float:
    return dp_accounting.get_epsilon_gaussian(together(releases), delta)


def noise_for(epsilon: float, delta: float, count: int) -> float:
    return dp_accounting.get_sigma_gaussian(epsilon, delta) * math.sqrt(count)


def test_N6_the_noise_of_the_honest_nodes_of_a_least_sum_is_the_plans() -> None:
    """Of 12 invited nodes 6 are in a sum, 2 of them collude: 4 carry all."""
    plan = plan_of()
    each = hiding.at_node(plan, hiding.honest_of(6, 2)).sigma
    assert math.sqrt(4) * each == pytest.approx(2.0)
    assert promised.guaranteed(plan) == pytest.approx(2.0, rel=3e-3)
    assert promised.guaranteed(plan) < 2.0
    assert promised.guaranteed(plan_of("central")) == promised.guaranteed(plan_of("local")) == 2.0
    assert promised.guaranteed(plan_of(dp=None)) == 0


@given(invited=st.integers(6, 100), lost=st.integers(0, 94))
def test_what_was_realised_is_the_noise_of_the_honest_nodes_that_were_in(
    invited: int, lost: int
) -> None:
    plan = plan_of()
    numbers = masking.numbers(plan, invited)
    survivors = max(numbers.minimum, invited - lost)
    sigma = hiding.at_node(plan, hiding.honest_of(numbers.minimum, numbers.colluders)).sigma
    honest = survivors - numbers.colluders
    found = promised.realised(plan, invited=invited, survivors=survivors)
    assert found == pytest.approx(sigma * math.sqrt(honest), rel=3e-3)
    assert found >= promised.guaranteed(plan)


def test_what_others_add_is_realised_in_no_other_way() -> None:
    for mechanism in ("central", "local"):
        assert promised.realised(plan_of(mechanism), invited=12, survivors=12) == 2.0
    groups = plan_of(privacy=PrivacySection(group=4))
    assert promised.realised(groups, invited=12, survivors=12) == promised.guaranteed(groups)
    assert promised.realised(plan_of(dp=None), invited=12, survivors=12) == 0


def test_fewer_colluders_leave_more_noise_and_more_break_it() -> None:
    plan = plan_of()
    found = [promised.in_league(plan, 12, k) for k in range(4)]
    assert found[:3] == sorted(found[:3], reverse=True)
    assert found[2] == promised.guaranteed(plan)
    assert found[0] == pytest.approx(found[2] * math.sqrt(6 / 4))
    own = hiding.at_node(plan, hiding.honest_of(6, 2)).sigma
    assert found[3] == pytest.approx(own, rel=1e-2)
    assert found[3] < own
    assert promised.in_league(plan_of("local"), 12, 11) == 2.0


def test_the_cohort_is_that_of_the_nodes_that_are_known() -> None:
    assert promised.cohort(plan_of()) == 6
    assert promised.cohort(plan_of(), 30) == 30
    assert promised.cohort(plan_of(selection=SelectionSection(fraction=0.5)), 30) == 15
    assert promised.cohort(plan_of(selection=SelectionSection(count=9)), 30) == 9
    assert promised.cohort(plan_of(), 1000) == 100, "what lanes have room for"
    seen = plan_of("local", privacy=PrivacySection(updates="visible"))
    assert promised.cohort(seen, 1000) == 1000


@pytest.mark.parametrize(
    ("mechanism", "who"),
    [("distributed", "together"), ("local", "of its own"), ("central", "trusted with it")],
)
def test_the_promise_in_a_line(mechanism: str, who: str) -> None:
    line = promised.sentence(plan_of(mechanism))
    assert who in line
    assert (
        "2 times as much as a node can change: the plan bounds no epsilon, at delta 0.0001" in line
    )
    capped = plan_of(dp=DpSection(delta=1e-4, epsilon=8.0))
    assert "bounds epsilon by 8 in all 20 rounds" in promised.sentence(capped)
    assert promised.sentence(plan_of(dp=None)) == ""


def test_delta_must_be_said_and_be_small() -> None:
    ten = SelectionSection(count=10)
    silent = plan_of(dp=DpSection(noise=2.0), selection=ten)
    (found,) = promised.conflicts(silent)
    assert "delta" in found
    assert "1e-03" in found
    (found,) = promised.conflicts(plan_of(dp=DpSection(delta=0.11), selection=ten))
    assert "above 1/10" in found
    assert promised.conflicts(plan_of(dp=DpSection(delta=0.1), selection=ten)) == []
    assert promised.delta_conflicts(plan_of(dp=DpSection(delta=0.1)), 11)
    assert promised.conflicts(plan_of(dp=None)) == []


def test_N6_too_little_noise_is_refused_with_the_noise_that_does() -> None:
    plan = plan_of(dp=DpSection(noise=2.0, delta=1e-4, epsilon=4.0))
    (found,) = promised.cap_conflicts(plan, of_event, noise_for)
    enough = float(found.partition("write noise = ")[2].partition(",")[0])
    assert f"epsilon {of_event(promised.all_rounds(plan), 1e-4):.4g} of the 4" in found
    for noise, conflicts in ((enough, 0), (enough * 0.998, 1)):
        again = plan_of(dp=msgspec.structs.replace(plan.dp, noise=noise))
        assert len(promised.cap_conflicts(again, of_event, noise_for)) == conflicts


def test_without_a_cap_nothing_is_asked() -> None:
    def never(*_: object) -> float:
        raise AssertionError

    assert promised.cap_conflicts(plan_of(), never, never) == []
    assert promised.cap_conflicts(plan_of(dp=None), never, never) == []
    silent = plan_of(dp=DpSection(epsilon=1.0))
    assert promised.cap_conflicts(silent, never, never) == []


def test_all_reasons_are_said_at_once() -> None:
    plan = plan_of(
        dp=DpSection(delta=0.5),
        training=TrainingSpec(),
        weights=WeightsSection(),
        evaluation=EvaluationSection(),
    )
    found = "\n".join(check(plan))
    for word in ("[dp] delta", "update_clip", "[weights] by", "holdout"):
        assert word in found


@pytest.mark.parametrize(
    ("section", "line", "said"),
    [
        ("dp", "noise = nan", r"\[dp\] noise: Expected `float` > 0"),
        ("dp", "noise = -1.0", r"\[dp\] noise: Expected `float` > 0"),
        ("dp", "noise = 1e9", r"\[dp\] noise: Expected `float` <= 1000"),
        ("dp", "delta = 1.5", r"\[dp\] delta: Expected `float` < 1"),
        ("dp", "epsilon = inf", r"\[dp\] epsilon: Expected `float` <= "),
        ("training", "update_clip = nan", r"\[training\] update_clip: Expected `float` > 0"),
        ("training", "update_clip = -2.0", r"\[training\] update_clip: Expected `float` > 0"),
        ("training", "update_clip = inf", r"\[training\] update_clip: Expected `float` <= "),
    ],
)
def test_numbers_that_are_none_are_refused_where_they_stand(
    section: str, line: str, said: str
) -> None:
    text = f'[federation]\nname = "f"\n[task]\nname = "digits"\n[{section}]\n{line}\n'
    with pytest.raises(ConfigError, match=f"line 6: {said}"):
        tomlfile.parse(text, Plan, path=Path("plan.toml"))
