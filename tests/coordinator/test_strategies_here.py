"""A coordinator under strategies that keep vectors or have them travel, from init to export."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from a_coordinator import MANIFEST, a_finished_run

from coordinator import keeping
from coordinator.backup import backup, restore
from coordinator.files import StoreConflict
from coordinator.layout import Layout
from coordinator.opening import load_identity, open_coordinator, read_settings
from coordinator.refusals import BadDataError
from coordinator.statefiles import state_name
from fedtui.tomlfile import ConfigError

BALL = '[strategy]\nname = "fedavgm"\noptions = { momentum = 0.5 }\n'
SCAFFOLD = '[strategy]\nname = "scaffold"\n[weights]\nby = "equal"\n'


@pytest.fixture(scope="module")
def ball(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Two rounds of a ball that rolls: both updates weighted by 10 and 30 examples are 2.5."""
    return a_finished_run(tmp_path_factory.mktemp("ball"), extra=BALL)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Two rounds of SCAFFOLD: every value of model and control moves by 2 in each."""
    return a_finished_run(tmp_path_factory.mktemp("wide"), extra=SCAFFOLD, num_sections=2)


def starts(layout: Layout) -> None:
    open_coordinator(read_settings(layout), load_identity(layout)).store.close()


def copied(layout: Layout, folder: Path) -> Layout:
    shutil.copytree(layout.root, folder / "f", ignore=shutil.ignore_patterns("*.sock"))
    return Layout(folder / "f")


def model(layout: Layout, folder: Path) -> dict[str, np.ndarray]:
    keeping.export(layout, folder / "out", round_=2, torch=False)
    return safetensors.numpy.load_file(folder / "out" / "model.safetensors")


def test_what_is_kept_goes_into_the_next_round(ball: Layout, tmp_path: Path) -> None:
    np.testing.assert_array_equal(model(ball, tmp_path)["w"], 2.5 + (1.25 + 2.5))
    names = sorted(p.name for p in ball.checkpoints.glob("state-*"))
    assert names == [state_name(1), state_name(2)]
    starts(ball)


def test_a_start_without_it_is_refused_with_a_way_out(ball: Layout, tmp_path: Path) -> None:
    here = copied(ball, tmp_path)
    (here.checkpoints / state_name(2)).unlink()
    with pytest.raises(BadDataError, match=r"fedavgm keeps it.*backup.*init --initial"):
        starts(here)


def test_a_strategy_that_keeps_nothing_goes_on_without(ball: Layout, tmp_path: Path) -> None:
    here = copied(ball, tmp_path)
    here.plan.write_text(here.plan.read_text().replace(BALL, ""))
    starts(here)


def test_a_backup_holds_it(ball: Layout, tmp_path: Path) -> None:
    backup(ball.root, tmp_path / "copy", with_identity=True)
    restore(tmp_path / "copy", tmp_path / "again")
    starts(Layout(tmp_path / "again"))


def test_a_backup_that_rounds_outran_says_so(ball: Layout, tmp_path: Path) -> None:
    here = copied(ball, tmp_path)
    (here.checkpoints / state_name(2)).rename(here.checkpoints / state_name(5))
    with pytest.raises(StoreConflict, match="try again"):
        backup(here.root, tmp_path / "copy", with_identity=False)
    assert not (tmp_path / "copy").exists()


def test_a_model_that_carries_vectors_is_exported_without_them(
    wide: Layout, tmp_path: Path
) -> None:
    settings = read_settings(wide)
    assert settings.manifest.num_values == 2 * MANIFEST.num_values
    tensors = model(wide, tmp_path)
    assert {name: t.shape for name, t in tensors.items()} == {"w": (50, 10), "b": (10,)}
    np.testing.assert_array_equal(tensors["w"], 4.0)
    whole = safetensors.numpy.load_file(wide.checkpoints / "model-000002.safetensors")
    np.testing.assert_array_equal(whole["control:w"], 4.0)
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"{MANIFEST.num_values:,} values in 2 tensors" in card
    assert "what travelled with them (control)" in card
    starts(wide)


@pytest.mark.parametrize(("before", "after"), [("scaffold", "fedavg"), ("fedavgm", "scaffold")])
def test_a_strategy_that_needs_another_model_is_refused(
    ball: Layout, wide: Layout, tmp_path: Path, before: str, after: str
) -> None:
    here = copied(wide if before == "scaffold" else ball, tmp_path)
    text = here.plan.read_text().replace(BALL, "") if before == "fedavgm" else ""
    if text:
        here.plan.write_text(text + SCAFFOLD)
    else:
        here.plan.write_text(here.plan.read_text().replace(before, after))
    with pytest.raises(ConfigError, match=r"\[strategy\] name changed.*init --initial"):
        read_settings(here)
