"""Inputs as pictures: which tasks have such, and that a picture is what was there."""

import numpy as np
import pytest

from fedtui.leakage.pictures import gallery, likeness, nearest
from fedtui.learning import task as tasks
from fedtui.learning.data import Array, DataSource
from fedtui.learning.loading import load_task
from fedtui.tasks.digits import Digits


def test_digits_are_pictures_of_8_by_8() -> None:
    task = load_task("digits", {})
    raw = tasks.read(task, DataSource())
    hung = gallery(task, raw.x)
    assert hung is not None
    shown = hung.hang(task.prepare(raw.x[:5]))
    assert shown.shape == (5, 1, 8, 8)
    assert shown == pytest.approx(raw.x[:5].reshape(5, 1, 8, 8) / 16, abs=1e-6)


def test_what_lies_outside_of_black_and_white_is_cut_off() -> None:
    task = load_task("digits", {})
    hung = gallery(task, tasks.read(task, DataSource()).x)
    assert hung is not None
    assert hung.hang(np.full((1, 64), 99.0)).max() == 1
    assert hung.hang(np.full((1, 64), -99.0)).min() == 0


class Squared(Digits):
    """Not scaled pixel by pixel alike."""

    def prepare(self, x: Array) -> Array:
        scaled: Array = ((x / 16.0) ** 2).astype(np.float32)
        return scaled


@pytest.mark.parametrize(
    "x",
    [
        np.ones((9, 63)),
        np.ones((9, 6, 6)),
        np.ones((9, 2, 8, 8)),
        np.zeros((9, 64)),
        -np.ones((9, 64)),
        np.array([["a"] * 64]),
    ],
)
def test_other_inputs_are_no_pictures(x: Array) -> None:
    assert gallery(load_task("digits", {}), x) is None


def test_a_task_that_bends_its_inputs_has_no_pictures() -> None:
    task = Squared()
    assert gallery(task, task.data(DataSource()).x) is None


def test_the_nearest_picture_is_found() -> None:
    rng = np.random.default_rng(0)
    many = rng.random((4, 3, 9, 9))
    place, like = nearest(many[2], many)
    assert (place, like) == (2, pytest.approx(1.0))
    assert likeness(many[0], many[1]) < 0.5
    assert nearest(many[0], many[:0]) == (-1, 0.0)
