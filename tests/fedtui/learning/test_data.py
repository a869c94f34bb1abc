import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from fedtui.learning.data import DataError, DataSource, Examples, own_path, parse_source, read_idx


def idx(array: np.ndarray) -> bytes:
    head = struct.pack(">I", 0x0800 + array.ndim)
    return head + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_idx_files_are_read_packed_or_not(tmp_path: Path, pack) -> None:
    path = tmp_path / "file"
    path.write_bytes(pack(idx(IMAGES)))
    assert np.array_equal(read_idx(path, 3), IMAGES)
    path.write_bytes(pack(idx(IMAGES[0, 0])))
    assert read_idx(path, 1).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not an IDX file of images"),
        (b"\x89PNG\r\n\x1a\n" * 9, "89504e47"),
        (idx(IMAGES[0, 0]), "not an IDX file of images"),
        (idx(IMAGES)[:-1], "promises 24 bytes, 23 follow"),
        (idx(IMAGES) + b"x", "promises 24 bytes, 25 follow"),
        (struct.pack(">4I", 0x0803, 2**31, 2**31, 2**31), "damaged"),
        (gzip.compress(idx(IMAGES))[:-9], "damaged"),
        (b"\x1f\x8bnonsense", "damaged"),
    ],
)
def test_broken_idx_files_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        read_idx(path, 3)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_idx(tmp_path / "none", 1)
    with pytest.raises(DataError, match="does not exist: name the file"):
        own_path(DataSource(path=str(tmp_path / "none")))


def test_a_folder_with_both_parts_is_read_by_part(tmp_path: Path) -> None:
    train, test = (DataSource(path=str(tmp_path), part=part) for part in ("train", "test"))
    (tmp_path / "train").mkdir()
    assert own_path(train) == own_path(test) == tmp_path
    (tmp_path / "test").mkdir()
    assert (own_path(train), own_path(test)) == (tmp_path / "train", tmp_path / "test")


def test_a_source_as_people_type_it() -> None:
    assert parse_source("") == DataSource()
    assert parse_source("~/d.csv") == DataSource(path="~/d.csv")
    expected = DataSource(path="d", split="dirichlet:0.5", shard=1, num_shards=4, seed=7)
    assert parse_source("d?shard=1/4&split=dirichlet:0.5&seed=7") == expected
    assert parse_source("?part=test").part == "test"


@pytest.mark.parametrize(
    "text", ["d?shard=4/4", "d?shard=1", "d?shard=a/b", "d?part=dev", "d?x=1", "d?seed=-1"]
)
def test_a_mistyped_source_is_refused(text: str) -> None:
    with pytest.raises(DataError):
        parse_source(text)


def test_inputs_and_targets_must_pair_up() -> None:
    with pytest.raises(DataError, match="3 inputs but 2 targets"):
        Examples(np.zeros((3, 1)), np.zeros(2))
