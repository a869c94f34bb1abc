"""From the masked vectors of groups to a model: the rule over the means, and what is left out."""

from typing import Any

import msgspec
import numpy as np
import pytest
from a_masked_cohort import MASKED_PLAN, MaskedCohort

from fedtui.combining.grouped import SpoiltGroupsError, groups_of
from fedtui.combining.visible import CannotCombineError, Recipe, Start
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.learning.training import TrainingSpec
from fedtui.rounds.machine import Aggregate, Contribution
from fedtui.rounds.plan import Named, Plan
from fedtui.rounds.suspicion import far
from fedtui.simulation.mixing import Mixed, Mixer, Values
from fedtui.wire.messages import ModelRef

SIZE = 3000
BASE = ModelRef(round=3, digest=b"m" * 32, num_bytes=4 * SIZE)


def plan(aggregator: str = "mean", **more: Any) -> Plan:
    privacy = msgspec.structs.replace(
        MASKED_PLAN.privacy, group=3, colluders=None, minimum=None, largest_cohort=12
    )
    named = msgspec.convert({"name": aggregator}, type(MASKED_PLAN.aggregator))
    return msgspec.structs.replace(MASKED_PLAN, privacy=privacy, aggregator=named, **more)


def cohort_of(its_plan: Plan, num: int = 9, spoil: tuple[int, ...] = ()) -> MaskedCohort:
    """Nodes that agree more or less; those of `spoil` send the opposite, tenfold."""
    rng = np.random.default_rng(5)
    shared = rng.normal(0, 0.1, SIZE)
    updates = [(shared + rng.normal(0, 0.05, SIZE)).astype(np.float32) for _ in range(num)]
    for node in spoil:
        updates[node] = -10 * updates[node]
    return MaskedCohort(its_plan, updates, [100 + 50 * i for i in range(num)])


def mixed(cohort: MaskedCohort) -> Mixed:
    manifest = Manifest((TensorSpec("w", (SIZE,)),))
    mixer = Mixer(Recipe.of(cohort.plan, manifest), cohort.plan)
    numbers = [n for n in sorted(cohort.vectors) if in_sum(cohort, n)]
    parts = tuple(Contribution(cohort.nodes[n].id, b"d" * 32, 1) for n in numbers)
    contents = [np.frombuffer(cohort.vectors[n], "<u8") for n in numbers]
    start = Start(Values(np.zeros(SIZE, np.float32)), mixer.first_state())
    return mixer.mix(Aggregate(4, 2, BASE, parts, cohort.opener), start, contents)


def in_sum(cohort: MaskedCohort, number: int) -> bool:
    opener = cohort.opener
    return opener.group_of(cohort.nodes[number].id) in opener.groups


def groups(cohort: MaskedCohort) -> list[list[int]]:
    numbers = {one.id: n for n, one in enumerate(cohort.nodes)}
    opener = cohort.opener
    return [[numbers[n] for n in opener.members(at)] for at in range(opener.num_groups)]


def means(cohort: MaskedCohort) -> list[np.ndarray]:
    """The weighted mean of each group, by numpy alone."""
    rows = [np.asarray(u, np.float64) for u in cohort.updates]
    return [
        np.average([rows[n] for n in g], axis=0, weights=[cohort.examples[n] for n in g])
        for g in groups(cohort)
    ]


def test_the_mean_over_groups_is_the_mean_over_all() -> None:
    cohort = cohort_of(plan()).run()
    done = mixed(cohort)
    np.testing.assert_allclose(done.model_D, cohort.mean(), rtol=1e-5, atol=3 * cohort.step)
    assert done.sums == {"loss_sum": 0.5 * sum(range(9)), "examples": sum(cohort.examples)}
    assert [len(group.nodes) for group in done.groups] == [3, 3, 3]
    assert far(done.groups) == ()


def test_the_median_over_groups_is_that_of_their_means() -> None:
    cohort = cohort_of(plan("median")).run()
    expected = np.median(means(cohort), axis=0)
    np.testing.assert_allclose(mixed(cohort).model_D, expected, rtol=1e-5, atol=3 * cohort.step)


@pytest.mark.parametrize("rule", ["median", "trimmed_mean", "geometric_median"])
def test_one_bad_node_moves_a_robust_rule_little_and_its_group_is_suspect(rule: str) -> None:
    honest = mixed(cohort_of(plan(rule)).run()).model_D
    cohort = cohort_of(plan(rule), spoil=(4,)).run()
    done = mixed(cohort)
    ruined = mixed(cohort_of(plan(), spoil=(4,)).run()).model_D
    size = float(np.linalg.norm(honest))
    assert np.linalg.norm(done.model_D - honest) < 0.5 * size
    assert np.linalg.norm(ruined - honest) > 1.0 * size
    (bad,) = far(done.groups)
    assert cohort.nodes[4].id in bad.nodes
    assert bad.cosine < -0.5
    assert not bad.reason


def test_a_group_with_a_garbage_vector_is_left_out_and_the_others_are_the_model() -> None:
    cohort = cohort_of(plan()).run()
    words = np.frombuffer(cohort.vectors[4], "<u8").copy()
    words[0] += np.uint64(9)  # a guard word: a garbage vector misses all of them
    cohort.vectors[4] = words.tobytes()
    done = mixed(cohort)
    (spoilt,) = [group for group in done.groups if group.reason]
    assert cohort.nodes[4].id in spoilt.nodes
    kept = [n for group in groups(cohort) if 4 not in group for n in group]
    expected = np.average(
        [cohort.updates[n] for n in kept], axis=0, weights=[cohort.examples[n] for n in kept]
    )
    np.testing.assert_allclose(done.model_D, expected, rtol=1e-5, atol=5 * cohort.step)
    assert done.sums["examples"] == sum(cohort.examples[n] for n in kept)


@pytest.mark.parametrize(("times", "left_out"), [(1.0, False), (2.0, False), (6.0, True)])
def test_A3_one_node_moves_the_mean_of_its_group_by_two_clips_or_loses_it(
    times: float, left_out: bool
) -> None:
    honest = cohort_of(plan())
    clip = max(float(np.linalg.norm(update)) for update in honest.updates)
    its_plan = plan(training=TrainingSpec(update_clip=clip))
    found = []
    for bad in (-times, 1.0):
        cohort = cohort_of(its_plan)
        cohort.examples = [100] * 9
        cohort.updates[4] = (bad * cohort.updates[4]).astype(np.float32)
        found.append(mixed(cohort.run()))
    spoilt, good = found
    reasons = [group.reason for group in spoilt.groups if group.reason]
    assert bool(reasons) is left_out
    if left_out:
        assert [cohort.nodes[4].id in group.nodes for group in far(spoilt.groups)] == [True]
    else:  # of three groups' means one has moved
        assert np.linalg.norm(spoilt.model_D - good.model_D) <= 2 * clip / 3


def test_A3_a_node_cannot_take_the_others_weight_away() -> None:
    cohort = cohort_of(plan(training=TrainingSpec(update_clip=100.0)))
    cohort.examples = [100] * 9
    cohort.run()
    layout = cohort.layout
    words = np.frombuffer(cohort.vectors[4], "<u8").copy()
    less, place = 299 << 16, layout.num_values  # of the three hundred one is left
    for digit in range(layout.num_digits):
        taken = less % 2**layout.value_bits
        less >>= layout.value_bits
        at, lane = divmod(place + digit, layout.lanes)
        words[1 + at] -= np.uint64(taken << (lane * (64 // layout.lanes)))
    cohort.vectors[4] = words.tobytes()
    (spoilt,) = [group for group in mixed(cohort).groups if group.reason]
    assert "cannot weigh" in spoilt.reason
    assert cohort.nodes[4].id in spoilt.nodes


def test_A3_a_group_whose_mean_is_too_long_is_left_out() -> None:
    cohort = cohort_of(plan(training=TrainingSpec(update_clip=8.0)), spoil=(4,)).run()
    (spoilt,) = [group for group in mixed(cohort).groups if group.reason]
    assert "bounds every update to 8" in spoilt.reason
    assert cohort.nodes[4].id in spoilt.nodes


def test_with_too_few_groups_there_is_no_model_and_all_are_remembered() -> None:
    cohort = cohort_of(plan()).run()
    for node in (groups(cohort)[0][0], groups(cohort)[2][1]):
        words = np.frombuffer(cohort.vectors[node], "<u8").copy()
        words[0] += np.uint64(9)
        cohort.vectors[node] = words.tobytes()
    with pytest.raises(SpoiltGroupsError, match="1 of 3 groups have a usable sum, 2 are") as one:
        mixed(cohort)
    assert sum(bool(group.reason) for group in groups_of(one.value)) == 2
    assert groups_of(CannotCombineError("")) == ()


def test_a_group_that_was_dropped_is_not_opened() -> None:
    cohort = cohort_of(plan()).run()
    cohort.opener.drop(1, "too few")
    kept = [n for at, group in enumerate(groups(cohort)) if at != 1 for n in group]
    expected = np.average(
        [cohort.updates[n] for n in kept], axis=0, weights=[cohort.examples[n] for n in kept]
    )
    np.testing.assert_allclose(mixed(cohort).model_D, expected, rtol=1e-5, atol=5 * cohort.step)


@pytest.mark.parametrize("transform", ["hadamard", "random_subset"])
def test_transforms_are_taken_back_from_each_mean_before_the_rule(transform: str) -> None:
    cohort = cohort_of(plan("median", transforms=(Named(name=transform),))).run()
    expected = np.median(means(cohort), axis=0)
    found = mixed(cohort).model_D
    sent = found != 0  # of a subset the rest of the model stays
    scale = SIZE / sent.sum()  # what a subset leaves out is made up for
    np.testing.assert_allclose(
        found[sent], scale * expected[sent], rtol=1e-3, atol=9 * cohort.step
    )
    assert (scale > 3) == (transform == "random_subset")
