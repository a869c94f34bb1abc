"""FedAvg against a plain loop without any framework, round by round, on Fashion-MNIST.

benchmarks/reference_curves.py compares every round; here the first few of both MLP curves.
"""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch

from fedtui.tasks.fashion_mnist import DEBIAN_FOLDER

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not (DEBIAN_FOLDER / "train-images-idx3-ubyte.gz").exists(),
        reason="Fashion-MNIST images not found: apt-get install dataset-fashion-mnist",
    ),
]
NUM_ROUNDS = 3


@pytest.fixture
def curves() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "reference_curves.py"
    spec = importlib.util.spec_from_file_location("reference_curves", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("split", ["iid_n10_seed1", "dir0.5_n10_seed1"])
def test_every_round_is_within_tolerance(curves: ModuleType, split: str) -> None:
    torch.set_num_threads(1)
    expected = {(model, name): curve for model, name, curve in curves.reference()}["mlp", split]
    found = list(curves.accuracies("mlp", split, NUM_ROUNDS))
    assert found == pytest.approx(expected[:NUM_ROUNDS], abs=curves.TOLERANCE)
