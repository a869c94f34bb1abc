"""A run from its beginning, from wherever it was stopped, and what it says when it cannot be."""

import math
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import dp_accounting
import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fedtui import plugins
from fedtui.errors import ExitCode, OperatorError
from fedtui.experiments import planfile, running, tables
from fedtui.experiments.disk import DiskError, RunFolderError
from fedtui.experiments.engines import EngineChoice
from fedtui.experiments.folder import RunFolder, RunInfo
from fedtui.experiments.journal import MAGIC
from fedtui.experiments.recorder import Recorder
from fedtui.experiments.running import Wishes
from fedtui.learning.data import DataError
from fedtui.learning.params import Manifest, Params, TensorSpec
from fedtui.privacy import accounting
from fedtui.rounds import promised
from fedtui.simulation.blame import TaskFailedError
from fedtui.simulation.report import NodeReport, RoundReport
from fedtui.tomlfile import ConfigError

PLAN = """\
[federation]
name = "a run"
[task]
name = "digits"
[rounds]
maximum = 6
start_with = 5
[privacy]
updates = "visible"
[population]
nodes = 8
split = "dirichlet:0.5"
[population.availability]
kind = "sessions"
online_s = 60
offline_s = 10
[population.dropout]
training = 0.1
"""
MASKED = PLAN.replace('updates = "visible"', "minimum = 3")
HIDDEN = """\
[federation]
name = "a run"
[task]
name = "digits"
[training]
update_clip = 1.0
[rounds]
maximum = 2
start_with = 8
[weights]
by = "equal"
[evaluation]
with_evaluator = true
[privacy]
minimum = 5
[dp]
noise = 2.0
delta = 0.01
[population]
nodes = 8
"""
COARSE = PLAN + "[traffic]\nmodel_bits = 8\n"


class Heard:
    """A Show that remembers, and does something when a round is told."""

    def __init__(self, then: Callable[[RoundReport], None] = lambda _report: None) -> None:
        self.told: list[str] = []
        self.rounds: list[RoundReport] = []
        self.again = 0
        self.info: RunInfo | None = None
        self._then = then

    def say(self, text: str) -> None:
        self.told.append(text)

    def begins(self, plan, folder: Path, *, again: int) -> None:
        self.again = again

    def round(self, report: RoundReport) -> None:
        self.rounds.append(report)
        self._then(report)

    def failed(self, node: int, number: int, reason: str, kept: Path | None) -> None:
        self.told.append(reason)

    def ends(self, info: RunInfo, folder: Path) -> None:
        self.info = info


def wishes(folder: Path, text: str = PLAN, **fields) -> Wishes:
    plan = folder / "plan.toml"
    plan.write_text(text)
    options = {"out": folder / "run", "engine": EngineChoice()} | fields
    return Wishes(plan=plan, **options)


def results(run: Path) -> tuple[list[RoundReport], list[NodeReport], bytes]:
    """All that must be the same of runs that are the same."""
    rounds = tables.read(run / "rounds.parquet", RoundReport)
    timeless = [msgspec.structs.replace(report, wall_s=0.0) for report in rounds]
    nodes = tables.read(run / "nodes.parquet", NodeReport)
    return timeless, nodes, (run / "model.safetensors").read_bytes()


def interrupt_after(number: int) -> Callable[[RoundReport], None]:
    def then(report: RoundReport) -> None:
        if report.round == number:
            raise KeyboardInterrupt

    return then


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Uninterrupted runs, by their plans."""
    found = {}
    for text in (PLAN, MASKED, COARSE):
        folder = tmp_path_factory.mktemp("whole")
        running.run(wishes(folder, text), Heard())
        found[text] = folder / "run"
    return found


def test_a_run_leaves_everything_in_its_folder(tmp_path: Path) -> None:
    show = Heard()
    info = running.run(wishes(tmp_path), show)
    assert (info.state, info.num_rounds) == ("finished", 6)
    assert show.info == info == RunFolder.open(tmp_path / "run").info
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "initial.safetensors",
        "journal.msgpack",
        "lock",
        "model.safetensors",
        "node-0.recording",
        "nodes.parquet",
        "picture.png",
        "picture.svg",
        "plan.toml",
        "rounds.parquet",
        "run.json",
    ]
    rounds, nodes, _ = results(tmp_path / "run")
    assert [report.round for report in rounds] == [1, 2, 3, 4, 5, 6]
    assert {node.round for node in nodes} == {1, 2, 3, 4, 5, 6}
    assert info.virtual_s == pytest.approx(rounds[-1].ended_s)


@pytest.mark.slow
@pytest.mark.parametrize("text", [PLAN, MASKED, COARSE], ids=["visible", "masked", "coarse"])
@pytest.mark.parametrize("at", [1, 4])
def test_an_interrupted_run_goes_on_to_the_same_end(
    tmp_path: Path, whole: dict[str, Path], text: str, at: int
) -> None:
    stopped = running.run(wishes(tmp_path, text), Heard(interrupt_after(at)))
    assert (stopped.state, stopped.num_rounds) == ("stopped", at)
    assert (tmp_path / "run" / "model.safetensors").exists()
    again = Heard()
    info = running.run(wishes(tmp_path, text), again)
    assert again.again == at
    assert [report.round for report in again.rounds] == list(range(at + 1, 7))
    assert info.state == "finished"
    assert results(tmp_path / "run") == results(whole[text])


LATE = """\
seed = 11
[federation]
name = "late"
[task]
name = "digits"
[selection]
count = 10
minimum = 4
[rounds]
maximum = 8
start_with = 5
[deadlines]
update_s = 80
accept_s = 12
evaluate_s = 12
rejoin_s = 3
[privacy]
updates = "visible"
[population]
nodes = 25
[population.speed]
examples_per_s = 20
spread = 1.5
[population.network]
latency_ms = 1500
jitter_ms = 200
up_mbit = 0.1
down_mbit = 0.1
spread = 1.0
[population.availability]
kind = "sessions"
online_s = 40
offline_s = 5
[population.dropout]
training = 0.1
uploading = 0.1
back_after_s = [5, 30]
"""


@pytest.mark.slow
@pytest.mark.parametrize("updates", ["visible", "masked"])
def test_jobs_that_outlast_their_round_are_told_again_as_they_were(
    tmp_path: Path, updates: str
) -> None:
    """Slow links, short stays: nodes still work for a round that is closed when the run stops."""
    text = LATE.replace("visible", updates)
    running.run(wishes(tmp_path, text, out=tmp_path / "whole"), Heard())
    whole = results(tmp_path / "whole")
    for report in whole[0][:-1]:
        out = tmp_path / f"stopped-{report.round}"
        running.run(wishes(tmp_path, text, out=out), Heard(interrupt_after(report.round)))
        running.run(wishes(tmp_path, text, out=out), Heard())
        assert results(out) == whole, f"stopped after round {report.round}"


@pytest.mark.slow
def test_the_best_model_outlives_a_stop_on_a_slow_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounds that wait for the disk together leave the models that are needed, not just one."""
    text = PLAN.replace("maximum = 6", "maximum = 12").replace(
        "[population]\n", "[training]\nlearning_rate = 2.0\n[population]\n"
    )
    running.run(wishes(tmp_path, text, out=tmp_path / "whole"), Heard())
    written = Recorder._write
    gate = threading.Event()

    def slow(self: Recorder, batch) -> None:
        gate.wait()
        written(self, batch)

    def then(report: RoundReport) -> None:
        if report.round == 9:
            gate.set()
            raise KeyboardInterrupt

    monkeypatch.setattr(Recorder, "_write", slow)
    running.run(wishes(tmp_path, text), Heard(then))
    running.run(wishes(tmp_path, text), Heard())
    assert results(tmp_path / "run") == results(tmp_path / "whole")


@pytest.mark.slow
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.floats(0, 1), lost=st.booleans())
def test_whatever_a_kill_leaves_is_gone_on_with(
    tmp_path: Path, whole: dict[str, Path], cut: float, lost: bool
) -> None:
    """The journal ends anywhere, models of later rounds lie there, the newest model may not."""
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    running.run(wishes(tmp_path), Heard(interrupt_after(5)))
    folder = tmp_path / "run"
    data = (folder / "journal.msgpack").read_bytes()
    (folder / "journal.msgpack").write_bytes(data[: len(MAGIC) + int(cut * len(data))])
    if lost:
        (folder / "model-000005.safetensors").unlink()
    show = Heard()
    running.run(wishes(tmp_path), show)
    assert 0 <= show.again <= 5
    assert results(folder) == results(whole[PLAN])


@pytest.mark.slow
def test_a_damaged_model_is_not_gone_on_from(tmp_path: Path, whole: dict[str, Path]) -> None:
    running.run(wishes(tmp_path), Heard(interrupt_after(5)))
    path = tmp_path / "run" / "model-000005.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    show = Heard()
    running.run(wishes(tmp_path), show)
    assert show.again < 5
    assert results(tmp_path / "run") == results(whole[PLAN])


def test_a_finished_run_is_shown_and_left_as_it_is(tmp_path: Path) -> None:
    first = running.run(wishes(tmp_path), Heard())
    before = (tmp_path / "run" / "run.json").read_bytes()
    show = Heard()
    assert running.run(wishes(tmp_path), show) == first
    assert show.info == first
    assert not show.rounds
    assert (tmp_path / "run" / "run.json").read_bytes() == before


@pytest.mark.slow
def test_another_plan_or_start_needs_another_folder(tmp_path: Path) -> None:
    running.run(wishes(tmp_path), Heard(interrupt_after(1)))
    with pytest.raises(RunFolderError, match="another plan: give another --out"):
        running.run(wishes(tmp_path, PLAN + "\n# other"), Heard())
    first = (tmp_path / "run" / "model.safetensors").rename(tmp_path / "first.safetensors")
    with pytest.raises(RunFolderError, match="another initial model"):
        running.run(wishes(tmp_path, initial=first), Heard())
    show = Heard()
    running.run(wishes(tmp_path, initial=first, fresh=True), show)
    assert len(show.rounds) == 6


@pytest.mark.slow
@pytest.mark.slow
def test_other_data_under_the_same_name_are_noticed(tmp_path: Path) -> None:
    split = tmp_path / "split.npz"
    np.savez(split, **{f"p{n}": np.arange(100 * n, 100 * n + 100) for n in range(8)})
    text = PLAN.replace('"dirichlet:0.5"', f'"{split}"')
    running.run(wishes(tmp_path, text), Heard(interrupt_after(1)))
    np.savez(split, **{f"p{n}": np.arange(100 * n, 100 * n + 99) for n in range(8)})
    with pytest.raises(RunFolderError, match="another data set"):
        running.run(wishes(tmp_path, text), Heard())


def test_it_begins_from_the_model_that_is_named(tmp_path: Path, whole: dict[str, Path]) -> None:
    first = whole[PLAN] / "model.safetensors"
    show = Heard()
    running.run(wishes(tmp_path, initial=first), show)
    assert (tmp_path / "run" / "initial.safetensors").read_bytes() == first.read_bytes()
    assert show.rounds[0].score > results(whole[PLAN])[0][0].score


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [("none.safetensors", None, "cannot read"), ("bad.safetensors", b"no", "bad.safetensors")],
)
def test_an_initial_model_that_is_none_is_refused(
    tmp_path: Path, name: str, content: bytes | None, expected: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=expected):
        running.run(wishes(tmp_path, initial=path), Heard())
    assert not (tmp_path / "run").exists()


def test_a_model_of_another_shape_is_refused(tmp_path: Path) -> None:
    other = Params(Manifest((TensorSpec("w", (3,)),)), np.zeros(3, np.float32))
    path = tmp_path / "other.safetensors"
    path.write_bytes(other.to_safetensors())
    with pytest.raises(DataError, match=r"other\.safetensors"):
        running.run(wishes(tmp_path, initial=path), Heard())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("where", ["data", "prepare", "model"])
def test_a_task_that_raises_before_any_node_works_is_blamed(tmp_path: Path, where: str) -> None:
    source = (
        "from fedtui.tasks.digits import Digits\nclass Own(Digits):\n"
        f"    def {where}(self, *_):\n        raise KeyError('mine')\nbuild = Own\n"
    )
    (tmp_path / "own.py").write_text(source)
    digest = plugins.file_hash(source.encode())
    text = PLAN.replace('name = "digits"', f'name = "own"\nsha256 = "{digest}"')
    with pytest.raises(TaskFailedError, match=r"KeyError: 'mine' \(own\.py, line 4\)"):
        running.run(wishes(tmp_path, text, task_file=tmp_path / "own.py"), Heard())


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(RunFolderError, match="is a file, and a run needs a folder"):
        running.run(wishes(tmp_path), Heard())
    assert (tmp_path / "run").read_text() == "mine"


def test_data_that_do_not_suffice_are_said_before_anything_is_made(tmp_path: Path) -> None:
    text = PLAN.replace("nodes = 8", "nodes = 3000")
    with pytest.raises(DataError, match="1437 examples cannot fill 3000") as caught:
        running.run(wishes(tmp_path, text), Heard())
    assert caught.value.exit_code is ExitCode.BAD_DATA
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_federation_that_can_never_end_is_ended(tmp_path: Path) -> None:
    text = PLAN.replace("training = 0.1", "answering = 0.7\nback_after_s = [1, 2]")
    text = text.replace("[population]\n", "[selection]\nminimum = 7\n[population]\n")
    info = running.run(wishes(tmp_path, text), Heard())
    assert info.state == "failed"
    assert "attempts in a row failed" in info.reason


@pytest.mark.slow
def test_a_full_disk_stops_the_run_and_loses_nothing(
    tmp_path: Path, whole: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Recorder._write

    def full(self: Recorder, batch) -> None:
        if any(getattr(entry, "round", 0) > 3 for entry in batch.entries):
            raise DiskError("the disk is full; make room and run again")
        written(self, batch)

    monkeypatch.setattr(Recorder, "_write", full)
    with pytest.raises(DiskError, match="the disk is full"):
        running.run(wishes(tmp_path), Heard())
    assert RunFolder.open(tmp_path / "run").info.state == "failed"
    monkeypatch.undo()
    running.run(wishes(tmp_path), Heard())
    assert results(tmp_path / "run") == results(whole[PLAN])


def test_too_little_memory_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(running, "Village", full)
    with pytest.raises(OperatorError, match="not enough memory"):
        running.run(wishes(tmp_path), Heard())


@pytest.mark.slow
def test_two_processes_never_work_on_one_run(tmp_path: Path) -> None:
    running.run(wishes(tmp_path), Heard(interrupt_after(2)))
    info = RunFolder.open(tmp_path / "run").info
    with (
        RunFolder.create(tmp_path / "run", PLAN, info).held(),
        pytest.raises(RunFolderError, match="another process works on this run"),
    ):
        running.run(wishes(tmp_path), Heard())


@pytest.mark.slow
def test_trackers_are_told_of_every_round(tmp_path: Path) -> None:
    running.run(wishes(tmp_path, track=("tensorboard",)), Heard())
    assert list((tmp_path / "run" / "tensorboard").rglob("*tfevents*"))


def test_a_strategy_that_does_not_fit_the_model_is_refused(tmp_path: Path) -> None:
    text = PLAN + '[strategy]\nname = "fedper"\n'
    with pytest.raises(ConfigError, match=r"plan.toml: .*head.*0.weight, 0.bias, 2.weight"):
        running.run(wishes(tmp_path, text), Heard())
    assert not (tmp_path / "run").exists()


def test_a_run_says_what_was_spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of eight nodes that are all there: who is in every round is in all of them."""
    shown = Heard()
    info = running.run(wishes(tmp_path, HIDDEN), shown)
    assert info == RunFolder.open(tmp_path / "run").info
    assert info.delta == 0.01
    noise = promised.guaranteed(planfile.read(tmp_path / "plan.toml").plan)
    sure = dp_accounting.get_epsilon_gaussian(noise / math.sqrt(info.num_rounds), 0.01)
    assert info.epsilon_guaranteed == pytest.approx(sure)
    assert 0 < info.epsilon_realised < info.epsilon_guaranteed
    no_library = (sys.executable, "-I", "-S", "-c", "raise")
    monkeypatch.setattr(accounting, "_COMMAND", no_library)
    info = running.run(wishes(tmp_path, HIDDEN, fresh=True), shown)
    assert (info.state, info.delta, info.epsilon_guaranteed) == ("finished", None, None)
    assert any("epsilon is not known: dp-accounting ended" in line for line in shown.told)
