"""Who was in a node's data: told from its update, and not from noise."""

import numpy as np
import pytest

from fedtui.leakage import membership
from fedtui.learning import task as tasks
from fedtui.learning.data import DataSource
from fedtui.learning.flat import FlatModel
from fedtui.learning.loading import load_task
from fedtui.learning.trainer import Workbench, initial
from fedtui.learning.training import TrainingSpec

IS_MEMBER = np.arange(32) < 16


def test_members_are_told_from_an_update_and_not_from_noise() -> None:
    task = load_task("digits", {})
    examples = tasks.prepared(task, tasks.read(task, DataSource()))
    candidates = examples.take(np.random.default_rng(3).permutation(len(examples))[:32])
    params = initial(task, seed=3)
    made = Workbench(task).train(
        params, candidates, TrainingSpec(), seed=(1, 1, 0), rows=np.arange(16)
    )
    noise = np.random.default_rng(1).normal(0, made.update_D.std(), (50, len(made.update_D)))
    seen_V = np.concatenate([made.update_D[None].astype(np.float64), noise])
    found = membership.attacks(task, FlatModel(task.model(), params), params, seen_V, candidates)
    assert {*found} == {"loss", "alignment", "fit"}
    told = {name: membership.auroc(scores[0], IS_MEMBER) for name, scores in found.items()}
    assert told["fit"] > 0.99
    assert told["alignment"] > 0.6
    assert told["loss"] > 0.6
    for scores in found.values():
        by_chance = [membership.auroc(one, IS_MEMBER) for one in scores[1:]]
        assert np.mean(by_chance) == pytest.approx(0.5, abs=0.1)


def test_a_fit_parts_candidates_that_are_alike() -> None:
    """Two nearly equal steps, one of which was made: the cosine cannot tell them, the fit can."""
    steps_N = np.array([[1.0, 0.0, 0.0], [1.0, 0.02, 0.0], [0.0, 0.0, 1.0]])
    seen_V = steps_N[:1] + 0.0
    cosines, shares = (
        attack(steps_N, seen_V)[0] for attack in (membership.by_alignment, membership.by_fit)
    )
    assert cosines[0] - cosines[1] < 1e-3
    assert shares[0] - shares[1] > 0.9


def test_scores_that_are_no_number_are_the_lowest() -> None:
    is_member = np.array([True, False, False])
    assert membership.auroc(np.array([0.0, np.nan, -np.inf]), is_member) == 1.0
