import gzip
from pathlib import Path

import numpy as np
import pytest

from fedtui.learning.data import DataError, DataSource
from fedtui.learning.trainer import initial
from fedtui.tasks.fashion_mnist import FashionMnist


def write(folder: Path, prefix: str = "train", *, labels: bytes = b"\x00\x09", size: int = 28):
    images = np.arange(2 * size * 28, dtype=np.uint32).astype(np.uint8)
    head = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (2, size, 28))
    (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + images.tobytes()))
    head = b"\0\0\x08\x01" + len(labels).to_bytes(4, "big")
    (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(head + labels)


def test_four_files_packed_or_not_make_two_parts(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, "t10k", labels=b"\x01\x02")
    train, test = (
        FashionMnist().data(DataSource(path=str(tmp_path), part=p)) for p in ("train", "test")
    )
    assert train.x.shape == (2, 1, 28, 28)
    assert train.y.tolist() == [0, 9]
    assert test.y.tolist() == [1, 2]
    prepared = FashionMnist().prepare(train.x)
    expected = (train.x.astype(np.float64) / 255 - 0.2860) / 0.3530
    np.testing.assert_allclose(prepared, expected, atol=1e-6)


def test_missing_and_mismatched_files_are_said(tmp_path: Path) -> None:
    source = DataSource(path=str(tmp_path))
    with pytest.raises(DataError, match="apt-get install dataset-fashion-mnist"):
        FashionMnist().data(source)
    write(tmp_path, labels=b"\0")
    with pytest.raises(DataError, match="2 images but 1 labels"):
        FashionMnist().data(source)
    write(tmp_path, labels=b"\0\x0a")
    with pytest.raises(DataError, match="label 10"):
        FashionMnist().data(source)
    write(tmp_path, size=27)
    with pytest.raises(DataError, match="expected 28 by 28"):
        FashionMnist().data(source)


@pytest.mark.parametrize(("model", "num_values"), [("mlp", 159_010), ("cnn", 80_602)])
def test_the_models_are_those_of_the_reference(model: str, num_values: int) -> None:
    assert initial(FashionMnist(model=model), seed=1).manifest.num_values == num_values


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="expected mlp or cnn"):
        FashionMnist(model="vgg")
