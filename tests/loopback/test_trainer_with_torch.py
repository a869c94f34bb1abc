"""The trainer process with torch: a real task, progress, cooperative cancel, prediction."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from fedtui import plugins
from fedtui.learning import metrics
from fedtui.learning.data import DataSource
from fedtui.learning.task import load
from fedtui.learning.trainer import initial, train_locally
from fedtui.learning.training import TrainingSpec
from fedtui.wire.tensors import from_bytes
from node import jobs
from node.trainer import TrainerLimits, TrainerProcess

pytestmark = pytest.mark.loopback

TASK = jobs.TaskRef(name="digits")
DATA = DataSource(num_shards=4)
PARAMS = initial(plugins.build("tasks", "digits"), seed=1)


@pytest.fixture
async def trainer() -> AsyncIterator[TrainerProcess]:
    made = TrainerProcess(TrainerLimits(cancel_grace_s=30))
    yield made
    await made.close()


def train_job(folder: Path, **changes: object) -> jobs.TrainJob:
    PARAMS.vector_D.tofile(folder / "model.f32")
    fields = {
        "job_id": 1,
        "task": TASK,
        "data": DATA,
        "manifest": PARAMS.manifest,
        "model_path": str(folder / "model.f32"),
        "training": TrainingSpec(epochs=2, batch_size=16),
        "seed": 7,
        "round": 3,
        "node_index": 2,
        "out_path": str(folder / "update.f32"),
    }
    return jobs.TrainJob(**(fields | changes))


async def test_the_process_trains_as_the_function_does(
    trainer: TrainerProcess, tmp_path: Path
) -> None:
    said: list[jobs.Progress] = []
    outcome = await trainer.run(train_job(tmp_path), on_progress=said.append)
    assert isinstance(outcome, jobs.Trained)
    task = plugins.build("tasks", "digits")
    expected = train_locally(
        task, PARAMS, load(task, DATA), TrainingSpec(epochs=2, batch_size=16), seed=(7, 3, 2)
    )
    update = from_bytes((tmp_path / "update.f32").read_bytes(), PARAMS.manifest)
    np.testing.assert_allclose(update, expected.update_D, atol=1e-6)
    assert outcome.num_examples == expected.num_examples
    assert outcome.sums == pytest.approx(expected.sums)
    assert (said[0].epoch, said[0].num_epochs, said[0].batch) == (1, 2, 1)


async def test_progress_comes_at_most_four_times_a_second_and_cancel_is_heard(
    trainer: TrainerProcess, tmp_path: Path
) -> None:
    said: list[jobs.Progress] = []
    enough = asyncio.Event()

    def on_progress(progress: jobs.Progress) -> None:
        said.append(progress)
        if len(said) == 4:
            enough.set()

    endless = train_job(tmp_path, training=TrainingSpec(epochs=1000, batch_size=1))
    running = asyncio.create_task(trainer.run(endless, on_progress=on_progress))
    await enough.wait()
    pid = trainer.pid
    await trainer.cancel()
    assert await running == jobs.Cancelled(job_id=1)
    assert trainer.pid == pid, "it stopped by itself within the grace"
    batches = [(p.epoch - 1) * p.num_batches + p.batch for p in said]
    assert batches == sorted(set(batches))
    assert all(p.examples_per_s > 0 for p in said)
    assert len(said) < batches[-1] / 10


async def test_held_out_examples_never_train_and_are_what_is_judged(
    trainer: TrainerProcess, tmp_path: Path
) -> None:
    trained = await trainer.run(train_job(tmp_path, holdout=0.25), on_progress=lambda _: None)
    assert isinstance(trained, jobs.Trained)
    judge = jobs.EvaluateJob(
        job_id=2,
        task=TASK,
        data=DATA,
        manifest=PARAMS.manifest,
        model_path=str(tmp_path / "model.f32"),
        seed=7,
        holdout=0.25,
    )
    evaluated = await trainer.run(judge, on_progress=lambda _: None)
    assert isinstance(evaluated, jobs.Evaluated)
    total = len(load(plugins.build("tasks", "digits"), DATA))
    assert trained.num_examples + evaluated.sums["examples"] == total
    assert 0 <= metrics.score("accuracy", evaluated.sums) <= 1


async def test_a_dry_run_says_what_would_leave(trainer: TrainerProcess) -> None:
    checked = await trainer.run(
        jobs.CheckJob(job_id=1, task=TASK, data=DATA), on_progress=lambda _: None
    )
    assert isinstance(checked, jobs.Checked)
    assert sum(checked.classes.values()) == checked.num_examples > 300
    assert checked.manifest == PARAMS.manifest
    assert "4,810 numbers" in checked.sends


async def test_predictions_go_to_a_file_and_bad_data_is_a_sentence(
    trainer: TrainerProcess, tmp_path: Path
) -> None:
    rows, out = tmp_path / "rows.csv", tmp_path / "out.jsonl"
    rows.write_text("\n".join(",".join(["8"] * 64) for _ in range(3)))
    PARAMS.vector_D.tofile(tmp_path / "model.f32")
    job = jobs.PredictJob(
        job_id=1,
        task=TASK,
        data=DataSource(path=str(rows)),
        manifest=PARAMS.manifest,
        model_path=str(tmp_path / "model.f32"),
        out_path=str(out),
    )
    outcome = await trainer.run(job, on_progress=lambda _: None)
    assert outcome == jobs.Predicted(job_id=1, out_path=str(out), num_rows=3)
    answers = [json.loads(line) for line in out.read_text().splitlines()]
    assert [a["row"] for a in answers] == [1, 2, 3]
    assert answers[0]["prediction"] in set("0123456789")
    (tmp_path / "model.f32").write_bytes(b"short")
    outcome = await trainer.run(job, on_progress=lambda _: None)
    assert isinstance(outcome, jobs.JobFailed)
    assert outcome.kind == "task"
    assert "5 bytes" in outcome.reason


async def test_judging_changes_no_bit_of_the_update_and_says_what_an_evaluation_says(
    trainer: TrainerProcess, tmp_path: Path
) -> None:
    plain = await trainer.run(train_job(tmp_path, holdout=0.2), on_progress=lambda _: None)
    one = await trainer.run(
        train_job(tmp_path, holdout=0.2, judge=1000), on_progress=lambda _: None
    )
    assert isinstance(plain, jobs.Trained)
    assert isinstance(one, jobs.Trained)
    assert one.digest == plain.digest
    assert one.sums == plain.sums
    assert plain.judged is None
    assert one.judged is not None
    model = np.fromfile(tmp_path / "model.f32", "<f4")
    update = np.fromfile(tmp_path / "update.f32", "<f4")
    (model + update).tofile(tmp_path / "after.f32")
    for path, sums in (("model.f32", one.judged.before), ("after.f32", one.judged.after)):
        job = jobs.EvaluateJob(
            job_id=2,
            task=TASK,
            data=DATA,
            manifest=PARAMS.manifest,
            model_path=str(tmp_path / path),
            seed=7,
            holdout=0.2,
        )
        measured = await trainer.run(job, on_progress=lambda _: None)
        assert isinstance(measured, jobs.Evaluated)
        assert measured.sums == pytest.approx(sums)
        assert one.judged.num_examples == sums["examples"]
    assert metrics.score("accuracy", one.judged.after) > metrics.score(
        "accuracy", one.judged.before
    )
    few = await trainer.run(train_job(tmp_path, holdout=0.2, judge=10), on_progress=lambda _: None)
    assert isinstance(few, jobs.Trained)
    assert few.judged is not None
    assert few.judged.num_examples == 10
    check = jobs.CheckJob(job_id=3, task=TASK, data=DATA)
    found = await trainer.run(check, on_progress=lambda _: None)
    assert isinstance(found, jobs.Checked)
    assert found.data == one.data
    assert found.data.num_examples == found.num_examples
    other = jobs.CheckJob(job_id=4, task=TASK, data=DataSource(num_shards=4, shard=1))
    found = await trainer.run(other, on_progress=lambda _: None)
    assert isinstance(found, jobs.Checked)
    assert found.data.digest != one.data.digest
