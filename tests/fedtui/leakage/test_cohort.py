"""What is seen of a cohort is the sum that masks leave, and the noise that was asked for."""

import numpy as np
import pytest

from fedtui.leakage.cohort import Cohort, View
from fedtui.leakage.noise import multiplier_for
from fedtui.learning.params import Manifest, Params, TensorSpec
from fedtui.rounds.plan import FederationSection, Plan, TaskSection

DIM = 20_000
PLAN = Plan(federation=FederationSection(name="f"), task=TaskSection(name="digits"))
RNG = np.random.default_rng(4)
UPDATES = [RNG.normal(0, 0.1, DIM).astype(np.float32) for _ in range(10)]
PARAMS = Params(Manifest((TensorSpec("w", (DIM,)),)), np.zeros(DIM, np.float32))
COHORT = Cohort(PLAN, PARAMS, UPDATES, 7)


def seen(nodes: int, epsilon: float | None = None) -> np.ndarray:
    view = View(nodes=nodes, epsilon=epsilon)
    return COHORT.seen(view, 1e-5, np.random.default_rng(1))


def test_one_node_is_seen_as_it_is() -> None:
    assert np.array_equal(seen(1), UPDATES[0].astype(np.float64))


@pytest.mark.parametrize("nodes", [3, 10])
def test_a_sum_is_the_mean_to_the_last_step_of_its_encoding(nodes: int) -> None:
    mean_D = np.mean(np.array(UPDATES[:nodes], np.float64), axis=0)
    assert np.abs(seen(nodes) - mean_D).max() < 1e-6
    assert not np.array_equal(seen(nodes), mean_D), "it was not quantised"


def test_noise_is_as_large_as_epsilon_asks() -> None:
    clip = float(np.median([np.linalg.norm(one) for one in UPDATES[:3]]))
    found = np.std(seen(3, 8.0) - seen(3)) * 3
    assert found == pytest.approx(multiplier_for(8.0, 1e-5) * clip, rel=0.05)


def test_views_say_what_they_are() -> None:
    assert str(View(nodes=1)) == "plain update"
    assert str(View(nodes=3, epsilon=8.0)) == "masked sum of 3, epsilon 8"
