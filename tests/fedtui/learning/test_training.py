import msgspec
import pytest

from fedtui.learning.training import TrainingSpec


@pytest.mark.parametrize(
    "fields",
    [
        {"epochs": 0},
        {"steps": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": -1.0},
        {"optimizer": "lion"},
        {"momentum": 1.0},
        {"weight_decay": -0.1},
        {"clip_norm": 0.0},
        {"update_clip": 0.0},
        {"precision": "float16"},
        {"out_of_memory": "ignore"},
        {"lr": 0.1},
        {"adversary": {"attack": "cw", "radius": 0.1}},
        {"adversary": {"attack": "fgsm", "radius": 0.0}},
        {"adversary": {"attack": "pgd", "radius": 0.1, "steps": 0}},
        {"adversary": {"attack": "pgd"}},
    ],
)
def test_a_plan_cannot_ask_for_nonsense(fields: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, TrainingSpec)


def test_nothing_said_is_one_epoch_of_plain_sgd() -> None:
    spec = msgspec.convert({}, TrainingSpec)
    assert (spec.epochs, spec.steps, spec.optimizer, spec.momentum) == (1, None, "sgd", 0.0)
    assert spec.clip_norm is None
    assert spec.update_clip is None
