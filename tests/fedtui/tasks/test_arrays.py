from pathlib import Path

import numpy as np
import pytest
import torch

from fedtui import plugins
from fedtui.learning import metrics
from fedtui.learning.data import DataError, DataSource
from fedtui.learning.params import Params
from fedtui.learning.task import load
from fedtui.learning.trainer import evaluate, initial, predict, train_locally
from fedtui.learning.training import TrainingSpec
from fedtui.plugins import PluginError
from fedtui.tasks.arrays import build

torch.set_num_threads(1)
RNG = np.random.default_rng(1)
X = RNG.standard_normal((120, 2, 2))
SPEC = TrainingSpec(epochs=30, batch_size=16, learning_rate=0.02, optimizer="adam")


def learned(task, folder: Path, y: np.ndarray) -> tuple[Params, dict[str, float]]:
    np.savez(folder / "d.npz", x=X, y=y)
    examples = load(task, DataSource(path=str(folder / "d.npz")))
    params = initial(task, seed=1)
    update = train_locally(task, params, examples, SPEC, seed=(1, 1, 0)).update_D
    after = Params(params.manifest, params.vector_D + update)
    return after, evaluate(task, after, examples)


def test_classes_are_learned(tmp_path: Path) -> None:
    task = build([2, 2], classes=["low", "high"])
    params, sums = learned(task, tmp_path, (X.sum((1, 2)) > 0).astype(np.uint8))
    assert metrics.score("accuracy", sums) > 0.95
    np.save(tmp_path / "new.npy", np.array([np.ones((2, 2)), -np.ones((2, 2))]))
    x = task.prepare(task.inputs(DataSource(path=str(tmp_path / "new.npy"))))
    assert [a["prediction"] for a in predict(task, params, x)] == ["high", "low"]


def test_several_labels_are_learned(tmp_path: Path) -> None:
    task = build([2, 2], labels=["left", "top"])
    y = np.stack([X[:, 0, 0] > 0, X[:, 0, 1] > 0.8], 1)
    params, sums = learned(task, tmp_path, y)
    assert metrics.score("macro_f1", sums) > 0.9
    x = np.zeros((2, 2, 2), np.float32)
    x[0, 0] = 2
    x[1, 0] = -2
    answers = list(predict(task, params, x))
    assert [a["prediction"] for a in answers] == ["left|top", ""]
    assert answers[0]["top"] > 0.5 > answers[1]["top"]


def test_a_number_is_regressed_in_its_own_units(tmp_path: Path) -> None:
    task = build([2, 2], mean=0.1, spread=1.1, target_mean=500.0, target_spread=40.0)
    params, sums = learned(task, tmp_path, 500 + 40 * X[:, :1, 0])
    assert metrics.score("rmse", sums) < 8
    (answer,) = predict(task, params, task.prepare(np.full((1, 2, 2), 1.0)))
    assert answer["prediction"] == pytest.approx(540, abs=12)


@pytest.mark.parametrize(
    ("options", "y", "says"),
    [
        ({"classes": ["a", "b"]}, [0, 2], "example 1 .* has the class 2, expected 0 to 1"),
        ({"classes": ["a", "b"]}, [0, -1], "has the class -1"),
        ({"classes": ["a", "b"]}, [0.5, 1], "one whole number per example"),
        ({"classes": ["a", "b"]}, [[0], [1]], "one whole number per example"),
        ({"labels": ["a", "b"]}, [0, 1], r"of shape \(2,\), expected .* \(examples, 2\)"),
        ({"labels": ["a", "b"]}, [[0, 1], [1, 2]], "example 1 .* label b: 2 is neither 0 nor 1"),
        ({}, [0, np.nan], "example 1 .* has the target nan"),
        ({}, [[0, 1], [0, 1]], "one float32 per example"),
    ],
)
def test_targets_that_do_not_fit_are_said(tmp_path: Path, options: dict, y, says: str) -> None:
    np.savez(tmp_path / "d.npz", x=X[:2], y=y)
    with pytest.raises(DataError, match=says):
        load(build([2, 2], **options), DataSource(path=str(tmp_path / "d.npz")))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"shape": []}, "expected 1 to"),
        ({"shape": "64"}, "shape is a list of whole numbers"),
        ({"shape": [0]}, "numbers from 1 to"),
        ({"shape": [9999, 9999]}, "expected 1 to 16,777,216 numbers"),
        ({"hidden": [True]}, "hidden is a list of whole numbers"),
        ({"spread": 0}, "spread is 0, expected a number above 0"),
        ({"mean": float("nan")}, "finite"),
        ({"classes": ["a"]}, "2 or more different names"),
        ({"classes": "ab"}, "classes is a list of names"),
        ({"labels": ["a", "a"]}, "1 or more different names"),
        ({"labels": ["a"], "classes": ["a", "b"]}, "not both"),
        ({"depth": 5}, "does not take these options"),
    ],
)
def test_options_are_checked(options: dict, says: str) -> None:
    with pytest.raises(PluginError, match=says):
        plugins.build("tasks", "arrays", **({"shape": [2, 2]} | options))
