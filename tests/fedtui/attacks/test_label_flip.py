"""Label flip: which labels change, into what, and where it is no attack."""

import numpy as np
import pytest

from fedtui.attacks.label_flip import LabelFlip
from fedtui.learning.data import DataError

X = np.zeros((6, 2), np.float32)
Y = np.array([0, 1, 2, 3, 3, 9])


@pytest.mark.parametrize(
    ("attack", "labels"),
    [
        (LabelFlip(), [9, 8, 7, 6, 6, 0]),
        (LabelFlip(target=4), [4, 4, 4, 4, 4, 4]),
        (LabelFlip(source=3, target=8), [0, 1, 2, 8, 8, 9]),
        (LabelFlip(source=0, target=3), [3, 1, 2, 3, 3, 9]),
        (LabelFlip(source=5, target=3), Y.tolist()),
    ],
)
def test_labels_become_others_and_inputs_stay(
    attack: LabelFlip, labels: list[int], rng: np.random.Generator
) -> None:
    x, y = attack.examples(X, Y, 10, rng)
    assert x is X
    assert y.tolist() == labels


def test_flipping_twice_is_honest(rng: np.random.Generator) -> None:
    _, y = LabelFlip().examples(X, Y, 10, rng)
    assert LabelFlip().examples(X, y, 10, rng)[1].tolist() == Y.tolist()


def test_what_has_no_such_classes_cannot_be_flipped(rng: np.random.Generator) -> None:
    with pytest.raises(DataError, match="needs classes"):
        LabelFlip().examples(X, Y / 2, 0, rng)
    for attack in (LabelFlip(target=10), LabelFlip(source=10, target=1)):
        with pytest.raises(DataError, match="lack"):
            attack.examples(X, Y, 10, rng)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"source": 1}, "needs a target"),
        ({"source": 1, "target": 1}, "both 1"),
        ({"target": -1}, "target is -1"),
        ({"source": -1, "target": 1}, "source is -1"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LabelFlip(**options)
