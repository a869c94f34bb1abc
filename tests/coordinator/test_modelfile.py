"""The model belongs to the task it was made for, however the plan is edited."""

from pathlib import Path

import pytest
from a_coordinator import MANIFEST, make

from coordinator.layout import Layout
from coordinator.opening import read_settings
from fedtui.tomlfile import ConfigError

TASK = '[task]\nname = "digits"\n'


def edit(layout: Layout, old: str, new: str) -> None:
    text = layout.plan.read_text()
    assert old in text
    layout.plan.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("new", "key"),
    [
        ('[task]\nname = "fashion_mnist"\n', "name"),
        (TASK + "[task.options]\nhidden = 5\n", r"options\.hidden"),
    ],
)
def test_another_task_than_the_models_is_refused(tmp_path: Path, new: str, key: str) -> None:
    layout = make(tmp_path / "f")
    edit(layout, TASK, new)
    with pytest.raises(ConfigError, match=rf"plan.toml: \[task\] {key} changed.*put it back"):
        read_settings(layout)


def test_what_does_not_shape_the_model_may_change(tmp_path: Path) -> None:
    layout = make(tmp_path / "f")
    before = read_settings(layout)
    edit(layout, TASK, TASK + f'metric = "loss"\nsha256 = "{"ab" * 32}"\n')
    after = read_settings(layout)
    assert after.manifest == before.manifest == MANIFEST
    assert after.plan_hash != before.plan_hash, "every node is asked again"


def test_an_option_that_was_there_from_the_start_is_no_change(tmp_path: Path) -> None:
    layout = make(tmp_path / "f", extra='[task.options]\nhidden = 7\nclasses = ["a", "b"]\n')
    assert read_settings(layout).plan.task.options["hidden"] == 7
    edit(layout, "hidden = 7", "hidden = 8")
    with pytest.raises(ConfigError, match="hidden"):
        read_settings(layout)


def test_a_strategy_that_does_not_fit_the_model_is_refused(tmp_path: Path) -> None:
    stays = '[strategy]\nname = "fedper"\noptions = { stays = ["%s"] }\n'
    with pytest.raises(ConfigError, match=r"plan.toml: .*'head'.*there are: w, b\)"):
        make(tmp_path / "f", extra=stays % "head")
    assert not (tmp_path / "f").exists()
    layout = make(tmp_path / "f", extra=stays % "b")
    assert read_settings(layout).plan.strategy.name == "fedper"
    edit(layout, 'stays = ["b"]', 'stays = ["*"]')
    with pytest.raises(ConfigError, match="all tensors of the model would stay"):
        read_settings(layout)
