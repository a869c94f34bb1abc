"""Folders that Hugging Face `datasets` saved, by a stub with the package's own interface.

Where the package itself is installed, the last test saves and reads a real one.
"""

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fedtui import plugins
from fedtui.learning import saveddata
from fedtui.learning.data import DataError, DataSource
from fedtui.learning.saveddata import is_saved, read_columns
from fedtui.learning.task import load

COLUMNS = {"a": "number", "c": "category:x|y"}


class Saved(dict):
    """As datasets.Dataset: columns by name, their names, and what they are."""

    @property
    def column_names(self) -> list[str]:
        return list(super().keys())

    @property
    def features(self) -> dict[str, object]:
        names = SimpleNamespace(int2str=lambda number: "xy"[number])
        return {"a": SimpleNamespace(), "c": names, "text": SimpleNamespace()}

    keys = property()  # type: ignore[assignment]  # a Dataset has none, unlike a DatasetDict


ROWS = Saved(a=[0.5, 2.0], c=[1, 0], text=["one two three", "four"])


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    parts = {"train": ROWS, "validation": ROWS}

    def load_from_disk(path: str) -> object:
        if Path(path, "broken").exists():
            raise FileNotFoundError("no data file")
        return parts if Path(path, "dataset_dict.json").exists() else ROWS

    stub = SimpleNamespace(disable_progress_bars=lambda: None, load_from_disk=load_from_disk)
    monkeypatch.setitem(sys.modules, "datasets", stub)
    (tmp_path / "state.json").write_text("{}")
    return tmp_path


def test_columns_come_by_name_and_classes_as_words(saved: Path) -> None:
    assert is_saved(saved)
    assert not is_saved(saved / "elsewhere")
    assert read_columns(saved, ["c", "a"], "train") == {"c": ["y", "x"], "a": [0.5, 2.0]}


def test_tables_and_texts_read_it(saved: Path) -> None:
    source = DataSource(path=str(saved))
    table = plugins.build("tasks", "tabular", target="c", columns=COLUMNS)
    examples = load(table, source)
    assert (examples.x.tolist(), examples.y.tolist()) == ([[0.5], [2.0]], [1, 0])
    words = plugins.build("tasks", "word_lm", words=["one", "two", "three"], length=2, buckets=0)
    assert load(words, source).y.tolist() == [[2, 3]]


def test_pictures_are_read_by_the_names_of_their_classes(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [Image.new("RGB", (9, 20), (k, 0, 0)) for k in (10, 20)]
    columns = {"image": pictures, "label": ["cat", "dog"]}
    task = plugins.build("tasks", "image_folder", classes=["dog", "cat", "cow"], size=8)
    monkeypatch.setattr(saveddata, "read_columns", lambda *given: columns)
    examples = task.data(DataSource(path=str(saved)))
    assert examples.y.tolist() == [1, 0]
    assert examples.x[:, 0, 4, 4].tolist() == [10, 20]
    columns["image"][1] = None
    with pytest.raises(DataError, match=r"row 1 .* there is no image"):
        task.data(DataSource(path=str(saved)))
    columns["label"][1] = "horse"
    with pytest.raises(
        DataError, match=r"row 1 .* label 'horse' is none of the plan's classes, dog"
    ):
        task.data(DataSource(path=str(saved)))


def test_of_several_parts_the_named_one_is_read(saved: Path) -> None:
    (saved / "dataset_dict.json").write_text("{}")
    assert read_columns(saved, ["a"], "train") == {"a": [0.5, 2.0]}
    with pytest.raises(DataError, match="no part 'test'; it has: train, validation"):
        read_columns(saved, ["a"], "test")


def test_what_cannot_be_read_is_said(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="no column 'b'; its columns are: a, c, text"):
        read_columns(saved, ["b"], "train")
    (saved / "broken").touch()
    with pytest.raises(DataError, match="cannot be read by datasets: no data file"):
        read_columns(saved, ["a"], "train")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"pip install 'fedtui\[datasets\]'"):
        read_columns(saved, ["a"], "train")


@pytest.mark.skipif(
    importlib.util.find_spec("datasets") is None,
    reason="Hugging Face datasets is not installed: pip install 'fedtui[datasets]'",
)
def test_the_package_itself_is_read_alike(tmp_path: Path) -> None:
    import datasets  # noqa: PLC0415

    features = datasets.Features(
        {"a": datasets.Value("float64"), "c": datasets.ClassLabel(names=["x", "y"])}
    )
    real = datasets.Dataset.from_dict({"a": [0.5, 2.0], "c": [1, 0]}, features=features)
    real.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"test": real}).save_to_disk(tmp_path / "parts")
    assert is_saved(tmp_path / "one")
    for name in ("one", "parts"):
        found = read_columns(tmp_path / name, ["c", "a"], "test")
        assert found == {"c": ["y", "x"], "a": [0.5, 2.0]}
    pictures = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    )
    rows = {"image": [Image.new("L", (9, 9), 77)] * 2, "label": [1, 0]}
    datasets.Dataset.from_dict(rows, features=pictures).save_to_disk(tmp_path / "pictures")
    images = plugins.build("tasks", "image_folder", classes=["cat", "dog"], size=8, channels=1)
    examples = images.data(DataSource(path=str(tmp_path / "pictures")))
    assert (examples.y.tolist(), set(examples.x.ravel().tolist())) == ([1, 0], {77})
    task = plugins.build("tasks", "tabular", target="c", columns=COLUMNS)
    assert np.array_equal(load(task, DataSource(path=str(tmp_path / "one"))).y, [1, 0])
