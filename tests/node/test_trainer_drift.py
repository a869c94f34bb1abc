"""What the trainer keeps between two trainings."""

import os
from pathlib import Path

import numpy as np
import pytest

from fedtui.learning.params import Manifest, Params, TensorSpec
from node.jobs import Drift
from node.trainer_drift import LastTraining

MANIFEST = Manifest(tensors=(TensorSpec("w", (2,)),))


def params(*values: float) -> Params:
    return Params(MANIFEST, np.array(values, np.float32))


@pytest.mark.skipif(os.name == "nt", reason="nothing is kept where mapped files cannot go")
def test_an_update_is_compared_with_the_model_of_a_later_round_although_its_file_is_gone(
    tmp_path: Path,
) -> None:
    last, path = LastTraining(), tmp_path / "update.f32"
    assert last.against(1, params(0, 0)) is None
    path.write_bytes(np.array([3, 4], "<f4").tobytes())
    last.trained(1, params(1, 1), path)
    path.unlink()
    found = last.against(3, params(1, 6))
    assert found == Drift(
        round=1, num_rounds=2, distance=pytest.approx(10**0.5), own=5.0, moved=5.0, cosine=0.8
    )
    assert last.against(4, params(1, 6)) is None, "an update is told of once"


def test_another_attempt_of_the_round_and_another_model_say_nothing(tmp_path: Path) -> None:
    path = tmp_path / "update.f32"
    path.write_bytes(np.array([3, 4], "<f4").tobytes())
    for number, model in (
        (1, params(0, 0)),
        (2, Params(Manifest(tensors=(TensorSpec("v", (2,)),)), np.zeros(2, np.float32))),
    ):
        last = LastTraining()
        last.trained(1, params(0, 0), path)
        assert last.against(number, model) is None


@pytest.mark.skipif(os.name == "nt", reason="nothing is kept where mapped files cannot go")
def test_drift_is_of_what_training_changed_not_of_what_a_strategy_sends_of_it(
    tmp_path: Path,
) -> None:
    last, path = LastTraining(), tmp_path / "update.f32"
    path.write_bytes(np.array([0.3, 0.4, 9.9], "<f4").tobytes())  # and a vector behind it
    last.trained(1, params(1, 1), path, stretch=10.0)
    found = last.against(2, params(4, 5))
    assert found is not None
    assert (found.distance, found.own, found.moved) == pytest.approx((0, 5, 5), abs=1e-5)
