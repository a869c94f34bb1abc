"""A run's folder gives plan, initial model and what its operator should know; or a clear no."""

import contextlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coordinator import fromrun
from coordinator.refusals import BadDataError, MissingInputError
from fedtui import tomlfile

PLAN = """\
seed = 5
[federation]
name = "x"   # a name
[task]
name = "digits"
[population]
nodes = 12
split = "dirichlet:0.5"
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    written(folder)
    (folder / "initial.safetensors").write_bytes(b"model")
    return folder


def written(folder: Path, plan: str = PLAN, **told: object) -> Path:
    (folder / "plan.toml").write_text(plan)
    (folder / "run.json").write_text(json.dumps(told))
    return folder


def test_the_plan_comes_without_its_population(run: Path) -> None:
    found = fromrun.read(run)
    assert found.plan == PLAN[: PLAN.index("[population]")]
    assert found.initial == run / "initial.safetensors"
    assert found.notes[0] == fromrun.LEFT_OUT
    assert "'fedtui join --split dirichlet:0.5 --shard i/12 --split-seed 5'" in found.notes[1]
    assert len(found.notes) == 2


@pytest.mark.parametrize(
    ("plan", "told", "says"),
    [
        (PLAN, {"plain": True}, "simulated with --plain; here updates are masked"),
        (PLAN, {"num_threads": 3}, r"\[limits\] threads = 3"),
        (PLAN + "seed = 9\n", {}, "--split-seed 9"),
        (PLAN + '[population.shift]\nname = "noise"\n', {}, "no real node has them"),
        (PLAN + '[[population.malice]]\nattack = "x"\n', {}, "no real node has them"),
    ],
)
def test_what_differs_in_a_real_federation_is_said(
    run: Path, plan: str, told: dict[str, object], says: str
) -> None:
    notes = fromrun.read(written(run, plan, **told)).notes
    assert any(re.search(says, note) for note in notes), notes


def test_masks_that_the_plan_has_not_are_not_spoken_of(run: Path) -> None:
    plan = PLAN.replace("[population]", '[privacy]\nupdates = "visible"\n[population]')
    assert not any(
        "--plain" in note for note in fromrun.read(written(run, plan, plain=True)).notes
    )


@pytest.mark.parametrize("words", [["--task-file", "my/own.py"], ["--task-file=my/own.py"], []])
def test_an_own_task_is_named_with_its_file(run: Path, words: list[str]) -> None:
    plan = PLAN.replace('"digits"', f'"own"\nsha256 = "{"ab" * 32}"')
    notes = fromrun.read(written(run, plan, command=["fedtui-simulate", "run", *words])).notes
    (note,) = [note for note in notes if "task file of your own" in note]
    assert "abababab" in note
    assert ("--task-file my/own.py" in note) is bool(words)


def test_what_is_missing_is_said(tmp_path: Path, run: Path) -> None:
    with pytest.raises(MissingInputError, match="holds no run; 'fedtui-simulate run"):
        fromrun.read(tmp_path)
    with pytest.raises(MissingInputError, match="holds no run"):
        fromrun.read(run / "run.json")
    (run / "initial.safetensors").unlink()
    with pytest.raises(MissingInputError, match="there is no initial model"):
        fromrun.read(run)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60) | st.just(b"[" * 10_000))
def test_any_other_run_json_is_a_clear_no(run: Path, data: bytes) -> None:
    (run / "run.json").write_bytes(data)
    with contextlib.suppress(BadDataError):  # and nothing but that
        fromrun.read(run)


def test_a_run_json_without_end_is_not_read(run: Path) -> None:
    (run / "run.json").write_bytes(b" " * (tomlfile.MAX_BYTES + 1))
    with pytest.raises(BadDataError, match="no run wrote this"):
        fromrun.read(run)
