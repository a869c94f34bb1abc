"""The loop: a batch that is too large for the memory is cut, and the gradient stays the same."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
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


@given(num=st.integers(1, 12))
@settings(max_examples=6, deadline=None)
def test_training_that_has_to_do_with_less_is_the_beginning_of_the_whole(num: int) -> None:
    """Partial work weighs what it saw, and is what so many steps would have been."""
    task, calls = Small(), iter(range(1, 100))
    data, params = examples(50), initial(task, seed=1)
    spec = TrainingSpec(epochs=3, batch_size=10)
    hooks = Hooks(enough=lambda: next(calls) >= num)
    short = train_locally(task, params, data, spec, seed=(1, 1, 0), hooks=hooks)
    steps = TrainingSpec(steps=num, batch_size=10)
    planned = train_locally(task, params, data, steps, seed=(1, 1, 0))
    assert (short.update_D == planned.update_D).all()
    assert short.sums == planned.sums
    assert short.num_examples == min(50, 10 * num)


def test_steps_count_batches_across_epochs() -> None:
    task, seen = Small(), []
    spec = TrainingSpec(epochs=99, steps=5, batch_size=20)
    hooks = Hooks(progress=seen.append)
    result = train_locally(
        task, initial(task, seed=1), examples(), spec, seed=(1, 1, 0), hooks=hooks
    )
    assert [(p.epoch, p.batch) for p in seen] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]
    assert {(p.num_epochs, p.num_batches) for p in seen} == {(2, 3)}
    assert [p.num_examples_done for p in seen] == [20, 40, 50, 70, 90]
    assert result.sums["examples"] == 90
    assert result.num_examples == 50


def test_one_step_weighs_only_what_it_saw() -> None:
    task, spec = Small(), TrainingSpec(steps=1, batch_size=20)
    result = train_locally(task, initial(task, seed=1), examples(), spec, seed=(1, 1, 0))
    assert result.num_examples == 20
