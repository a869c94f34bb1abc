import contextlib
from pathlib import Path

import numpy as np
import pytest

from fedtui.learning.archives import read_examples, read_inputs
from fedtui.learning.data import DataError

X = np.arange(6.0).reshape(2, 3)
NAMES = ("x", "y")


def saved(folder: Path, **arrays: object) -> Path:
    np.savez(folder / "d.npz", allow_pickle=True, **arrays)
    return folder / "d.npz"


def test_arrays_come_as_they_were_saved(tmp_path: Path) -> None:
    found = read_examples(saved(tmp_path, x=X, y=[1, 0], z=[5]), NAMES, [3])
    assert found.x.tolist() == X.tolist()
    assert found.y.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"x": X}, "has no array 'y'; its arrays are: x"),
        ({"x": X, "y": [1]}, "'x' has 2 rows and 'y' has 1"),
        ({"x": X[:, :2], "y": [1, 2]}, r"'x' is float64 of shape \(2, 2\), expected .* \(n, 3\)"),
        ({"x": X.astype(str), "y": [1, 2]}, "expected numbers"),
        ({"x": X, "y": ["a", "b"]}, "'y' is <U1 of shape"),
        ({"x": X, "y": 3}, "'y' is int64 of shape"),
        ({"x": np.array([{}, {}]), "y": [1, 2]}, "cannot read .* of numbers"),
        ({"x": X * [[1], [np.nan]], "y": [1, 2]}, "NaN or Inf, first in row 1"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, arrays: dict, says: str) -> None:
    path = saved(tmp_path, **arrays)
    with pytest.raises(DataError, match=says) as caught:
        read_examples(path, NAMES, [3])
    assert str(path) in str(caught.value)


def test_what_is_no_archive_is_said(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    for content in (b"", b"PK\x03\x04broken", b"text"):
        path.write_bytes(content)
        with pytest.raises(DataError, match="cannot read"):
            read_examples(path, NAMES, [3])
    np.save(tmp_path / "one.npy", X)
    with pytest.raises(DataError, match=r"np\.savez"):
        read_examples(tmp_path / "one.npy", NAMES, [3])
    whole = bytearray(saved(tmp_path, x=X, y=[1, 0]).read_bytes())
    for place in range(len(whole)):  # whatever is damaged, it is said or harmless
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        with contextlib.suppress(DataError):
            read_examples(path, NAMES, [3])


def test_inputs_alone_may_be_one_array(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    assert read_inputs(tmp_path / "x.npy", "x", [3]).tolist() == X.tolist()
    assert read_inputs(saved(tmp_path, x=X), "x", [3]).tolist() == X.tolist()
    with pytest.raises(DataError, match=r"expected numbers of \(n, 4\)"):
        read_inputs(tmp_path / "x.npy", "x", [4])
    (tmp_path / "x.npy").write_bytes(b"")
    with pytest.raises(DataError, match=r"cannot read .*\.npy file of numbers"):
        read_inputs(tmp_path / "x.npy", "x", [3])
