import math
from dataclasses import replace
from pathlib import Path

import dp_accounting
import msgspec
import numpy as np
import pytest
import safetensors.numpy
from a_coordinator import MANIFEST, a_finished_run

from coordinator import export as export_module
from coordinator import keeping
from coordinator.card import card
from coordinator.export import choose
from coordinator.layout import Layout
from coordinator.opening import read_settings
from coordinator.reading import reading
from coordinator.refusals import BadDataError, BadRequestError, CannotCreateError
from fedtui.rounds.history import FederationSnapshot
from fedtui.rounds.plan import DpSection, Named


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return a_finished_run(tmp_path_factory.mktemp("ran"))


def test_the_model_its_card_and_its_plan(ran: Layout, tmp_path: Path) -> None:
    done = keeping.export(ran, tmp_path / "out", round_=None, torch=False)
    assert done.files == ("README.md", "model.safetensors", "plan.toml")
    assert (done.round, done.score) == (2, 0.8)
    tensors = safetensors.numpy.load_file(tmp_path / "out/model.safetensors")
    assert {name: t.shape for name, t in tensors.items()} == {"w": (50, 10), "b": (10,)}
    np.testing.assert_array_equal(tensors["w"], 5.0)
    card = (tmp_path / "out/README.md").read_text()
    for wanted in (
        "# test: model after round 2",
        "accuracy: 0.8000 over 20 examples at 2 nodes (share of examples",
        f"{MANIFEST.num_values:,} values in 2 tensors",
        done.digest,
        "| 1 | 0.8000 | 2 | 0 |",
        "ended: all 2 rounds done",
        "Under this plan updates are visible to the coordinator.",
    ):
        assert wanted in card
    assert (tmp_path / "out/plan.toml").read_bytes() == ran.plan.read_bytes()


def test_any_committed_round_and_no_other(ran: Layout, tmp_path: Path) -> None:
    assert keeping.export(ran, tmp_path / "first", round_=0, torch=False).round == 0
    with pytest.raises(BadRequestError, match="no committed round 9; the last is 2"):
        keeping.export(ran, tmp_path / "none", round_=9, torch=False)
    assert not (tmp_path / "none").exists()


def test_nothing_is_overwritten_and_nothing_half_written(
    ran: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(CannotCreateError, match="left as it is"):
        keeping.export(ran, tmp_path / "mine", round_=None, torch=False)
    monkeypatch.setattr(export_module.sys, "executable", "/bin/false")
    with pytest.raises(CannotCreateError, match="--no-torch"):
        keeping.export(ran, tmp_path / "half", round_=None, torch=True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_damaged_or_removed_model_is_not_exported(ran: Layout, tmp_path: Path) -> None:
    path = ran.checkpoints / "model-000001.safetensors"
    kept = path.read_bytes()
    path.write_bytes(kept[:-1] + b"\x01")
    with pytest.raises(BadDataError, match="restore a backup"):
        keeping.export(ran, tmp_path / "out", round_=1, torch=False)
    path.unlink()
    with pytest.raises(BadRequestError, match="was removed"):
        keeping.export(ran, tmp_path / "out", round_=1, torch=False)
    path.write_bytes(kept)


def test_the_result_wins_over_the_best(ran: Layout) -> None:
    with reading(ran) as database:
        snapshot = database.snapshot()
    assert choose(snapshot, "accuracy", None).round == 2
    running = FederationSnapshot(rounds=snapshot.rounds[:2])
    assert choose(running, "accuracy", None).round == 1


def test_a_card_says_what_was_spent(ran: Layout) -> None:
    settings = read_settings(ran)
    with reading(ran) as database:
        snapshot = database.snapshot()
    assert "epsilon" not in card(settings, snapshot, snapshot.rounds[-1])
    hidden = DpSection(mechanism="local", noise=2.0, delta=0.01, epsilon=5.0)
    plan = msgspec.structs.replace(settings.plan, dp=hidden)
    text = card(replace(settings, plan=plan), snapshot, snapshot.rounds[-1])
    one = dp_accounting.get_epsilon_gaussian(2.0 / math.sqrt(2), 0.01)
    assert f"mechanism `local`: epsilon {one:.4g} of at most 5 guaranteed" in text


@pytest.mark.parametrize(
    ("chosen", "of_tensors"),
    [
        (Named(name="fedper", options={"stays": ["b"]}), "Here `b` are as they were before"),
        (Named(name="ditto"), ""),
    ],
)
def test_a_card_says_that_a_score_is_of_other_models(
    ran: Layout, chosen: Named, of_tensors: str
) -> None:
    settings = read_settings(ran)
    with reading(ran) as database:
        snapshot = database.snapshot()
    said = "of these tensors alone it says nothing"
    assert said not in card(settings, snapshot, snapshot.rounds[-1])
    plan = msgspec.structs.replace(settings.plan, strategy=chosen)
    text = card(replace(settings, plan=plan), snapshot, snapshot.rounds[-1])
    assert said in text
    assert of_tensors in text
    assert bool(of_tensors) == ("before round one" in text)
