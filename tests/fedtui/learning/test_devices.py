"""Devices: what is asked for and not there is refused; a GPU learns what the processor learns."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from fedtui.learning import devices
from fedtui.learning.data import DataSource, Examples
from fedtui.learning.result import TrainError
from fedtui.learning.task import load
from fedtui.learning.trainer import evaluate, initial, train_locally, use_device
from fedtui.learning.training import TrainingSpec
from fedtui.tasks.digits import Digits

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")


@pytest.fixture(autouse=True)
def processor_again() -> Iterator[None]:
    yield
    use_device("cpu")


@pytest.mark.parametrize(
    ("here", "chosen"), [({"cuda"}, "cuda"), ({"mps"}, "mps"), (set(), "cpu")]
)
def test_auto_takes_a_gpu_where_there_is_one(
    here: set[str], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in here)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in here)
    assert devices.find("auto").type == chosen
    assert devices.find("cpu").type == "cpu"
    for name in ("cuda", "mps"):
        if name in here:
            assert devices.find(name).type == name
        else:
            with pytest.raises(TrainError, match=rf"no {name} device.*--device"):
                devices.find(name)


def test_a_device_that_nobody_has_is_named() -> None:
    with pytest.raises(TrainError, match=r"no device 'tpu'.*auto, cpu, cuda, mps"):
        use_device("tpu")
    assert devices.current() == devices.CPU


@pytest.mark.cuda
@GPU
@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_a_gpu_learns_what_the_processor_learns_and_twice_the_same_bits(name: str) -> None:
    task = Digits()
    data, _ = digits()
    spec = TrainingSpec(epochs=1, optimizer=name, learning_rate=0.01)
    params = initial(task, seed=1)
    updates = []
    for where in ("cpu", "cuda", "cuda"):
        use_device(where)
        updates.append(train_locally(task, params, data, spec, seed=(1, 1, 0)).update_D)
    np.testing.assert_allclose(updates[1], updates[0], atol=2e-4)
    assert updates[1].tobytes() == updates[2].tobytes()


@pytest.mark.cuda
@GPU
def test_mixed_precision_on_a_gpu_is_near_and_evaluation_is_not_mixed() -> None:
    task = Digits()
    data, held = digits()
    params = initial(task, seed=1)
    scores = []
    for precision in ("float32", "bfloat16"):
        use_device("cuda")
        spec = TrainingSpec(epochs=3, precision=precision)
        update_D = train_locally(task, params, data, spec, seed=(1, 1, 0)).update_D
        assert update_D.dtype == np.float32
        after = type(params)(params.manifest, params.vector_D + update_D)
        scores.append(evaluate(task, after, held)["correct"] / len(held))
    assert abs(scores[0] - scores[1]) < 0.05


def digits() -> tuple[Examples, Examples]:
    """Prepared examples, to train on and to judge by."""
    return load(Digits(), DataSource()), load(Digits(), DataSource(part="test"))
