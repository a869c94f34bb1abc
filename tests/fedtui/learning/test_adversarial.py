"""Adversarial training: where changed pictures lie, what they cost, and whom they harden."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from fedtui.learning import adversarial
from fedtui.learning.data import DataSource, Examples
from fedtui.learning.flat import FlatModel
from fedtui.learning.loading import load_task
from fedtui.learning.objectives import Classification
from fedtui.learning.result import TrainError
from fedtui.learning.task import Batch, prepared, read
from fedtui.learning.trainer import evaluate, initial, train_locally
from fedtui.learning.training import Adversary, TrainingSpec

torch.set_num_threads(1)
SEED = (1, 2, 3)


class Pictures(Classification):
    """Two classes of 4 by 4 pixels; with a layer whose state a pass in training mode changes."""

    labels = ("dark", "bright")

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(16), nn.Linear(16, 2))

    def data(self, source):
        raise NotImplementedError


def batch(n: int = 8) -> Batch:
    rng = np.random.default_rng(n)
    x = rng.random((n, 4, 4), np.float32)
    return Batch(torch.from_numpy(x), torch.from_numpy((x.mean((1, 2)) > 0.5).astype(np.int64)))


def module_of(task: Classification) -> nn.Module:
    torch.manual_seed(1)
    return task.model()


@settings(deadline=None)
@given(
    attack=st.sampled_from(["fgsm", "pgd"]),
    radius=st.floats(1e-3, 2.0),
    steps=st.integers(1, 5),
    n=st.integers(2, 9),
)
def test_pictures_stay_within_the_radius_and_the_range(attack, radius, steps, n) -> None:
    task, given_ = Pictures(), batch(n)
    before = given_.x.clone()
    hard = adversarial.hardened(
        task, module_of(task), given_, Adversary(attack=attack, radius=radius, steps=steps)
    )
    assert torch.equal(given_.x, before), "what was given stays"
    assert torch.equal(hard.y, given_.y)
    assert float((hard.x - given_.x).abs().max()) <= radius * (1 + 1e-5) + 1e-6
    assert float(hard.x.min()) >= float(given_.x.min())
    assert float(hard.x.max()) <= float(given_.x.max())
    assert not hard.x.requires_grad


def test_fgsm_is_the_sign_of_the_gradient_of_a_line_by_hand() -> None:
    """Of a linear model the gradient by a pixel is that of its weight."""
    task = Pictures()
    module = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    given_ = batch(1)
    wide = Batch(torch.cat([given_.x, torch.tensor([[[-9.0] * 4] * 4, [[9.0] * 4] * 4])]), None)
    wide = Batch(wide.x, torch.zeros(3, dtype=torch.int64))
    hard = adversarial.hardened(task, module, wide, Adversary(attack="fgsm", radius=0.25))
    weight = module[1].weight
    towards = (weight[1] - weight[0]).sign().reshape(4, 4)  # the loss of class 0 grows with it
    assert torch.allclose(hard.x[0], wide.x[0] + 0.25 * towards)


@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
def test_changed_pictures_cost_more_and_the_module_is_as_before(attack: str) -> None:
    task = Pictures()
    module = module_of(task)
    module.train()
    state = {name: value.clone() for name, value in module.state_dict().items()}
    hard = adversarial.hardened(task, module, batch(), Adversary(attack=attack, radius=0.2))
    assert module.training
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    assert all(one.grad is None for one in module.parameters())
    module.eval()
    plain = functional.cross_entropy(module(batch().x), batch().y)
    assert functional.cross_entropy(module(hard.x), hard.y) > plain + 0.01


def robust_accuracy(spec: TrainingSpec) -> tuple[float, float]:
    """On digits of the test part: unchanged ones, and ones changed by pgd."""
    task = load_task("digits", {})
    train, test = (prepared(task, read(task, task_source(part))) for part in ("train", "test"))
    params = initial(task, seed=3)
    made = train_locally(task, params, train, spec, seed=SEED)
    values_D = params.vector_D + made.update_D
    after = type(params)(params.manifest, values_D)
    module = FlatModel(task.model(), after, torch.device("cpu")).module
    torch.manual_seed(1)
    whole = Batch(torch.from_numpy(test.x), torch.from_numpy(test.y))
    hard = adversarial.hardened(task, module, whole, Adversary(attack="pgd", radius=0.5))
    both = [evaluate(task, after, one) for one in (test, Examples(hard.x.numpy(), test.y))]
    plain, changed = (sums["correct"] / sums["examples"] for sums in both)
    return plain, changed


def task_source(part: str) -> DataSource:
    return DataSource(part=part)


def test_who_trained_on_changed_pictures_stands_them_better() -> None:
    usual = TrainingSpec(epochs=8, learning_rate=0.1)
    hard = TrainingSpec(
        epochs=8, learning_rate=0.1, adversary=Adversary(attack="pgd", radius=0.5, steps=3)
    )
    plain, beaten = robust_accuracy(usual)
    still, stands = robust_accuracy(hard)
    assert stands > beaten + 0.1
    assert still > plain - 0.1


def test_equal_seeds_train_equally_and_an_adversary_makes_a_difference() -> None:
    task = load_task("digits", {})
    data = prepared(task, read(task, task_source("test"))).take(np.arange(40))
    params = initial(task, seed=3)
    spec = TrainingSpec(adversary=Adversary(attack="pgd", radius=0.3, steps=2))
    one, two = (train_locally(task, params, data, spec, seed=SEED).update_D for _ in range(2))
    assert one.tobytes() == two.tobytes()
    other = train_locally(task, params, data, TrainingSpec(), seed=SEED).update_D
    assert one.tobytes() != other.tobytes()


def test_what_is_no_picture_is_refused_in_a_sentence() -> None:
    class Numbers(Pictures):
        def model(self) -> nn.Module:
            return nn.Linear(3, 2)

    data = Examples(np.ones((4, 3), np.float32), np.zeros(4, np.int64))
    spec = TrainingSpec(adversary=Adversary(attack="fgsm", radius=0.1))
    with pytest.raises(TrainError, match=r"\[training\] adversary changes pictures"):
        train_locally(Numbers(), initial(Numbers(), seed=1), data, spec, seed=SEED)
