"""Gradients turned back into pictures: exact where theory says so, by search elsewhere."""

import numpy as np
import numpy.typing as npt
import pytest

from fedtui.leakage import inversion
from fedtui.leakage.inversion import Search
from fedtui.leakage.pictures import gallery, nearest
from fedtui.learning import task as tasks
from fedtui.learning.data import DataSource
from fedtui.learning.flat import FlatModel
from fedtui.learning.loading import load_task
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.learning.trainer import Workbench, initial
from fedtui.learning.training import TrainingSpec

LAYER = (slice(0, 32), slice(32, 36))  # 4 rows of 8 inputs, and 4 biases


def gradient(pushes: npt.NDArray[np.float64], inputs: npt.NDArray[np.float64]) -> np.ndarray:
    """Of a linear layer whose outputs have these gradients, (examples, rows)."""
    return np.concatenate([(pushes.T @ inputs).reshape(-1), pushes.sum(0)])


def test_one_example_comes_back_exactly() -> None:
    one = np.arange(8.0)[None]
    found = inversion.analytic(gradient(np.array([[1.0, -2, 0, 3]]), one), LAYER, 8, 1)
    assert found == pytest.approx(one)


def test_of_two_examples_that_move_rows_alone_both_come_back() -> None:
    two = np.stack([np.arange(8.0), np.arange(8.0)[::-1]])
    pushes = np.array([[1.0, -2, 0, 0], [0, 0, 1, 5]])
    found = inversion.analytic(gradient(pushes, two), LAYER, 8, 2)
    assert sorted(map(tuple, np.round(found, 9))) == sorted(map(tuple, two))


def test_rows_that_all_move_give_a_mixture_and_no_more() -> None:
    two = np.stack([np.arange(8.0), np.arange(8.0)[::-1]])
    pushes = np.array([[1.0, 2, 3, 4], [4, 3, 1, 2]])
    found = inversion.analytic(gradient(pushes, two), LAYER, 8, 2)
    assert found.shape == (1, 8)
    assert min(np.abs(found - one).max() for one in two) > 0.5


def test_nothing_comes_back_from_no_gradient() -> None:
    assert inversion.analytic(np.zeros(36), LAYER, 8, 1).shape == (0, 8)


@pytest.mark.parametrize(
    ("shapes", "fits"),
    [
        ([(4, 8), (4,)], True),
        ([(4, 8), (5,)], False),
        ([(4, 9), (4,)], False),
        ([(4, 1, 3, 3), (4,)], False),
        ([(4, 8)], False),
    ],
)
def test_only_a_fully_connected_layer_with_bias_comes_first(
    shapes: list[tuple[int, ...]], fits: bool
) -> None:
    manifest = Manifest(tuple(TensorSpec(f"t{n}", shape) for n, shape in enumerate(shapes)))
    assert inversion.first_layer(manifest, 8) == (LAYER if fits else None)


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_a_search_finds_the_digit_that_a_node_trained_on(kind: str) -> None:
    task = load_task("digits", {"model": kind})
    raw = tasks.read(task, DataSource())
    examples = tasks.prepared(task, raw)
    params = initial(task, seed=3)
    made = Workbench(task).train(
        params, examples, TrainingSpec(), seed=(1, 1, 0), rows=np.array([7])
    )
    hung = gallery(task, raw.x)
    assert hung is not None
    found = inversion.optimised(
        task,
        FlatModel(task.model(), params),
        -made.update_D.astype(np.float64),
        examples.y[7:8],
        (hung.low, hung.high),
        search=Search(steps=300),
        seed=5,
    )
    mine = hung.hang(examples.x[7:8])[0]
    like = nearest(mine, hung.hang(found))[1]
    assert like > 0.8
    assert like > nearest(mine, hung.hang(examples.x[8:40]))[1] + 0.05
