from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from fedtui.learning.data import DataError, DataSource
from fedtui.learning.objectives import Classification, Regression
from fedtui.learning.task import Batch


class Fixed(nn.Module):
    """A model that answers with its inputs."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def test_classification_sums_by_hand() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    batch = Batch(logits, torch.tensor([0, 1, 1]))
    expected = [np.log1p(np.exp(-2)), np.log1p(np.exp(-1)), np.log1p(np.exp(3))]
    sums = Classification().metrics(Fixed(), batch)
    assert sums["loss_sum"] == pytest.approx(sum(expected), rel=1e-5)
    assert (sums["correct"], sums["examples"]) == (2.0, 3.0)
    assert float(Classification().loss(Fixed(), batch)) == pytest.approx(np.mean(expected))


def test_regression_sums_by_hand() -> None:
    batch = Batch(torch.tensor([[1.0], [2.0]]), torch.tensor([3.0, 1.0]))
    assert Regression().metrics(Fixed(), batch) == {
        "loss_sum": 5.0,
        "squared_error": 5.0,
        "target_sum": 4.0,
        "target_squares": 10.0,
        "examples": 2.0,
    }
    assert float(Regression().loss(Fixed(), batch)) == 2.5
    assert Regression().predict(Fixed(), batch.x) == [{"prediction": 1.0}, {"prediction": 2.0}]


def test_predictions_name_the_class_or_number_it() -> None:
    task = Classification()
    x = torch.tensor([[0.0, 9.0, 0.0], [0.0, 0.0, 9.0]])
    assert [a["prediction"] for a in task.predict(Fixed(), x)] == ["1", "2"]
    task.labels = ("cat", "dog")
    assert [a["prediction"] for a in task.predict(Fixed(), x)] == ["dog", "2"]


def test_inputs_come_from_plain_arrays_only(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.ones((2, 3)))
    assert Classification().inputs(DataSource(path=str(path))).shape == (2, 3)
    np.save(path, np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(DataError, match="cannot read"):
        Classification().inputs(DataSource(path=str(path)))
    with pytest.raises(DataError, match=r"from a \.npy file"):
        Classification().inputs(DataSource(path="x.csv"))
