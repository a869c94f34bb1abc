"""What a byte budget chooses, and what plans are refused."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from masked_desk import masked_plan

from fedtui.learning.training import TrainingSpec
from fedtui.rounds import compression
from fedtui.rounds.plan import Named, Plan, PrivacySection, TrafficSection, WeightsSection, check

EQUAL = WeightsSection(by="equal")


def masked(budget: int | None = None, *names: str, **sections: object) -> Plan:
    return msgspec.structs.replace(
        masked_plan(),
        traffic=TrafficSection(update_bytes=budget),
        transforms=tuple(Named(name=name) for name in names),
        **{"weights": EQUAL, **sections},
    )


def visible(budget: int | None = None, *names: str, **sections: object) -> Plan:
    return masked(budget, *names, privacy=PrivacySection(updates="visible"), **sections)


def names(plan: Plan, num_values: int) -> tuple[int, tuple[str, ...]]:
    choice = compression.chosen(plan, num_values)
    return choice.lanes, tuple(name for name, _ in choice.steps)


@pytest.mark.parametrize(
    ("budget", "chosen"),
    [
        (None, (2, ())),
        (410_000, (2, ())),
        (300_000, (3, ("hadamard",))),
        (210_000, (4, ("hadamard",))),
        (50_000, (4, ("random_subset", "hadamard"))),
    ],
)
def test_under_masks_a_budget_takes_what_loses_least(budget, chosen) -> None:
    assert names(masked(budget), 100_000) == chosen


def test_visible_updates_leave_whole_or_as_top_k() -> None:
    assert names(visible(400_000), 100_000)[1] == ()
    assert names(visible(399_999), 100_000)[1] == ("top_k",)


@given(budget=st.integers(500, 2_000_000), num_values=st.integers(1, 400_000))
def test_what_is_chosen_fits_and_uses_the_budget(budget: int, num_values: int) -> None:
    for plan in (masked(budget), visible(budget)):
        size = compression.update_bytes(plan, num_values)
        assert size <= budget or compression.misfit(plan, num_values)
        if compression.chosen(plan, num_values).steps[:1] != ():
            assert size >= min(budget, 2 * num_values) / 2 - 500


@pytest.mark.parametrize("kind", [masked, visible])
def test_what_is_chosen_is_searched_for_once(kind, monkeypatch: pytest.MonkeyPatch) -> None:
    first = compression.chosen(kind(61_234), 100_003)
    monkeypatch.setattr(compression, "built", None)  # any search would call it
    assert compression.chosen(kind(61_234, seed=2), 100_003) == first


@pytest.mark.parametrize(
    "other",
    [
        {"privacy": PrivacySection(largest_cohort=4000)},
        {"strategy": Named(name="fednova")},
    ],
)
def test_what_is_kept_is_of_that_plan_only(other: dict[str, object]) -> None:
    compression.chosen(masked(30_000), 100_000)
    kept = compression.chosen(masked(30_000, **other), 100_000)
    compression._masked.cache_clear()
    assert compression.chosen(masked(30_000, **other), 100_000) == kept
    assert kept != compression.chosen(masked(30_000), 100_000)


def test_a_budget_that_nothing_fits_into_is_refused_with_both_numbers() -> None:
    why = compression.misfit(visible(10), 10_000_000)
    assert "update_bytes = 10:" in why
    assert str(compression.update_bytes(visible(10), 10_000_000)) in why
    assert "make an update of 400000 bytes" in compression.misfit(visible(9, "hadamard"), 100_000)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (masked(None, "top_k"), "cannot be added up"),
        (visible(None, "top_k", "hadamard"), "put it last"),
        (visible(None, "tap_k"), "did you mean 'top_k'"),
        (visible(None, "top_k", strategy=Named(name="scaffold")), "scaffold reckons with all"),
        (visible(9000, strategy=Named(name="scaffold")), "update_bytes: strategy scaffold"),
        (masked(None, "hadamard", weights=WeightsSection()), "[weights] cap: few bits"),
    ],
)
def test_what_does_not_fit_together_is_refused(plan: Plan, words: str) -> None:
    assert any(words in sentence for sentence in check(plan))


@pytest.mark.parametrize(
    "plan", [masked(9000), visible(9000), masked(None, "random_subset", "hadamard")]
)
def test_what_fits_is_not_refused(plan: Plan) -> None:
    assert check(plan) == []


def test_rotated_values_of_bounded_updates_get_a_range_of_their_own() -> None:
    bounded = {"training": TrainingSpec(update_clip=2.0)}
    assert compression.encoding(masked(None), 100_000).value_range == 4
    assert compression.encoding(masked(None, "hadamard"), 100_000).value_range == 4
    rotated = compression.encoding(masked(None, "hadamard", **bounded), 100_000)
    assert rotated.value_range == 2 * 6 / 256
    privacy = msgspec.structs.replace(masked_plan().privacy, value_range=0.5)
    said = masked(None, "hadamard", privacy=privacy, **bounded)
    assert compression.encoding(said, 100_000).value_range == 0.5
