"""The loop: a batch that is too large for the memory is cut, and the gradient stays the same."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fedtui.learning.data import Examples
from fedtui.learning.loop import Hooks
from fedtui.learning.objectives import Classification
from fedtui.learning.result import TrainError
from fedtui.learning.task import Batch
from fedtui.learning.trainer import evaluate, initial, train_locally
from fedtui.learning.training import TrainingSpec

torch.set_num_threads(1)
SEED = (1, 2, 3)


class Small(Classification):
    """Fails as a GPU does on more than `room` examples at a time."""

    labels = ("low", "high")

    def __init__(self, room: int = 1000) -> None:
        self.room = room
        self.sizes: list[int] = []

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        self._fit(batch)
        return super().loss(model, batch)

    def metrics(self, model: nn.Module, batch: Batch) -> dict[str, float]:
        self._fit(batch)
        return super().metrics(model, batch)

    def _fit(self, batch: Batch) -> None:
        if len(batch.y) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
        self.sizes.append(len(batch.y))


def examples(n: int = 50) -> Examples:
    x = np.random.default_rng(1).standard_normal((n, 4)).astype(np.float32)
    return Examples(x, (x.sum(1) > 0).astype(np.int64))


@pytest.mark.parametrize("room", [1, 5, 7, 19])
def test_halves_have_the_gradient_of_the_whole_and_the_operator_hears_of_them(room: int) -> None:
    data, spec = examples(), TrainingSpec(epochs=2, batch_size=20, learning_rate=0.2)
    params = initial(Small(), seed=3)
    whole = train_locally(Small(), params, data, spec, seed=SEED)
    task, heard = Small(room), list[str]()
    hooks = Hooks(notice=heard.append)
    halved = train_locally(task, params, data, spec, seed=SEED, hooks=hooks)
    np.testing.assert_allclose(halved.update_D, whole.update_D, atol=1e-6)
    assert halved.sums["loss_sum"] == pytest.approx(whole.sums["loss_sum"], rel=1e-5)
    assert halved.num_steps == whole.num_steps
    assert max(task.sizes) <= room
    assert heard[0] == "memory is too small for 20 examples at a time: 10 at a time"
    assert len(heard) == len(set(heard)), "once for each size, not for each batch"


def test_a_plan_may_refuse_halves_and_one_example_cannot_be_halved() -> None:
    data, params = examples(), initial(Small(), seed=3)
    refusing = TrainingSpec(batch_size=20, out_of_memory="refuse")
    with pytest.raises(TrainError, match=r"too small for 20 examples.*smaller batch_size"):
        train_locally(Small(5), params, data, refusing, seed=SEED)
    with pytest.raises(TrainError, match="too small for 1 examples"):
        train_locally(Small(0), params, data, TrainingSpec(), seed=SEED)


def test_evaluation_takes_fewer_at_a_time_and_counts_every_example_once() -> None:
    data, params = examples(), initial(Small(), seed=3)
    whole = evaluate(Small(), params, data)
    assert evaluate(Small(7), params, data) == pytest.approx(whole)
    with pytest.raises(TrainError, match="cannot evaluate"):
        evaluate(Small(0), params, data)


def test_mixed_precision_rounds_the_forward_pass_only() -> None:
    data, params = examples(), initial(Small(), seed=3)
    seen: list[torch.dtype] = []

    class Looking(Small):
        def loss(self, model: nn.Module, batch: Batch) -> Tensor:
            seen.append(model(batch.x).dtype)
            return super().loss(model, batch)

    updates = [
        train_locally(
            Looking(), params, data, TrainingSpec(epochs=2, precision=precision), seed=SEED
        ).update_D
        for precision in ("float32", "bfloat16")
    ]
    assert set(seen) == {torch.float32, torch.bfloat16}
    assert updates[1].dtype == np.float32
    assert updates[0].tobytes() != updates[1].tobytes()
    np.testing.assert_allclose(updates[1], updates[0], atol=5e-3)
