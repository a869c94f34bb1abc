from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from fedtui.learning.data import DataError, DataSource
from fedtui.tasks.digits import Digits


def test_they_are_scikit_learns_digits_each_in_one_part() -> None:
    theirs = load_digits()
    train, test = (Digits().data(DataSource(part=part)) for part in ("train", "test"))
    assert (len(train), len(test)) == (1437, 360)
    ours = np.concatenate([np.column_stack([p.x, p.y]) for p in (train, test)])
    expected = np.column_stack([theirs.data, theirs.target])
    assert np.array_equal(ours[np.lexsort(ours.T[::-1])], expected[np.lexsort(expected.T[::-1])])


def test_own_digits_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("\n".join(",".join(["16"] * 64 + [str(y)]) for y in (3, 9)))
    examples = Digits().data(DataSource(path=str(path)))
    assert examples.y.tolist() == [3, 9]
    assert Digits().prepare(examples.x).max() == pytest.approx(0.7 / 0.38)
    assert Digits().inputs(DataSource(path=str(path))).shape == (2, 64)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,2,3\n", "a row has 3 numbers, expected 65"),
        (",".join(["1"] * 64 + ["10"]), "must be 0 to 9"),
        ("hello\n", "as rows of numbers"),
        ("1,2\n3\n", "as rows of numbers"),
    ],
)
def test_what_is_no_digit_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        Digits().data(DataSource(path=str(path)))


def test_options_are_checked() -> None:
    for options in ({"model": "gpt"}, {"hidden": 0}):
        with pytest.raises(ValueError, match="expected"):
            Digits(**options)
