import pytest
import torch

from fedtui.learning import optimizers
from fedtui.learning.training import TrainingSpec

CASES = [
    (TrainingSpec(learning_rate=0.1), torch.optim.SGD, {"lr": 0.1}),
    (
        TrainingSpec(learning_rate=0.1, momentum=0.9, weight_decay=0.01),
        torch.optim.SGD,
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    ),
    (
        TrainingSpec(optimizer="adam", learning_rate=0.02, weight_decay=0.1),
        torch.optim.Adam,
        {"lr": 0.02, "weight_decay": 0.1},
    ),
    (
        TrainingSpec(optimizer="adamw", learning_rate=0.02, weight_decay=0.1),
        torch.optim.AdamW,
        {"lr": 0.02, "weight_decay": 0.1},
    ),
]


@pytest.mark.parametrize(("training", "theirs", "options"), CASES)
def test_each_rule_is_that_of_torch(training: TrainingSpec, theirs, options) -> None:
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(50, generator=generator)
    param = torch.nn.Parameter(start.clone())
    reference = theirs([param], **options)
    values = start.clone()
    ours = optimizers.make(training, None)
    for _ in range(20):
        grad = torch.randn(50, generator=generator)
        param.grad = grad.clone()
        reference.step()
        ours.step(values, grad.clone())
        torch.testing.assert_close(values, param.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_buffers_do_not_decay(optimizer: str) -> None:
    training = TrainingSpec(optimizer=optimizer, weight_decay=0.5)
    values = torch.ones(2)
    optimizers.make(training, torch.tensor([1.0, 0.0])).step(values, torch.zeros(2))
    assert values[1] == 1.0
    assert values[0] < 1.0
