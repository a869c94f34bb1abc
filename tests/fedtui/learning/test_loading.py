"""A task that lacks a part, or has one of another shape, is told which part and what to write."""

from pathlib import Path

import pytest

from fedtui.learning.loading import check_parts, load_task
from fedtui.learning.objectives import Regression
from fedtui.learning.task import FixedUpdate
from fedtui.plugins import PluginError, file_hash

WHOLE = """
from fedtui.learning.objectives import Classification
class Mine(Classification):
    def model(self): ...
    def data(self, source): ...
build = Mine
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.py"
    path.write_text(text)
    return path


def test_a_whole_task_is_loaded_by_name_or_file(tmp_path: Path) -> None:
    assert load_task("digits", {"hidden": 5}).metric == "accuracy"
    file = written(tmp_path, WHOLE)
    assert load_task("any", {}, file=file, sha256=file_hash(file.read_bytes())).labels == ()
    with pytest.raises(PluginError, match="changed since it was added"):
        load_task("any", {}, file=file, sha256="0" * 64)


def test_the_plan_says_by_what_it_is_measured() -> None:
    assert load_task("digits", {}, metric="macro_f1").metric == "macro_f1"
    assert load_task("digits", {}, metric="accuracy").metric == "accuracy"
    with pytest.raises(
        PluginError, match="task 'digits' cannot be measured by rmse; it can by acc"
    ):
        load_task("digits", {}, metric="rmse")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("def model(self)", "def modell(self)", r"has no `model`: write `def model\(self\)` that"),
        ("def data(self, source)", "def date(self, source)", "has no `data`: write .* Examples"),
        ("def data(self, source): ...", "data = 5", "has no `data`"),
        ("def data(self, source)", "def data(self)", "`data` of .* cannot be called as it must"),
        ("def model(self)", "def model()", "`model` of .* cannot be called"),
        ("(Classification)", "", "has no `metric`: set `metric` to one of accuracy, loss"),
        ("def model", "metric = 'beauty'\n    def model", "has the metric 'beauty'"),
        ("(Classification)", "", "has no `metric`"),
        ("(Classification):", ":\n    metric = 'loss'", "has no `prepare`: write"),
    ],
)
def test_a_part_that_lacks_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    text = WHOLE.replace(old, new)
    with pytest.raises(PluginError, match=says) as caught:
        load_task("mine", {}, file=written(tmp_path, text))
    assert str(tmp_path / "mine.py") in str(caught.value)


def test_a_task_that_trains_nothing_needs_its_own_parts_only() -> None:
    class Fixed:
        metric = "loss"

        def manifest(self): ...

        def fixed_update(self, manifest, seed): ...

    assert isinstance(Fixed(), FixedUpdate)
    check_parts(Fixed(), "it")


def test_what_another_kind_inherits_is_enough() -> None:
    class Mine(Regression):
        def model(self): ...

        def data(self, source, *, more=1): ...

    check_parts(Mine(), "it")
