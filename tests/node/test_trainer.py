"""The trainer as a process, with a task that needs no torch: starting it is cheap."""

import asyncio
import hashlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from fedtui.learning.data import DataSource
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.learning.training import TrainingSpec
from fedtui.secagg import masks
from fedtui.secagg.encoding import Encoding
from fedtui.secagg.participant import Masks
from fedtui.wire.tensors import from_bytes
from node import jobs
from node.trainer import TrainerLimits, TrainerProcess

TASK = """
import os, sys, time
import numpy as np
from fedtui.learning.params import Manifest, TensorSpec

class Fake:
    metric = "loss"
    labels = ()

    def __init__(self, does: str = "nothing") -> None:
        self._does = does

    def manifest(self):
        return Manifest((TensorSpec("w", (5,)),))

    def fixed_update(self, manifest, seed):
        print("noise on stdout that must not reach the daemon")
        if self._does == "hang":
            open(f"{os.environ['MARK']}", "w").close()
            time.sleep(600)
        if self._does == "rest":
            time.sleep(0.1)
        if self._does == "exit":
            sys.stderr.write("the last words\\n")
            sys.stderr.flush()
            os._exit(3)
        if self._does == "eat":
            self._kept = bytearray(os.urandom(1)) * (400 << 20)
            time.sleep(600)
        if self._does == "raise":
            raise KeyError("colour")
        values = np.arange(manifest.num_values, dtype=np.float32)
        if self._does == "nan":
            values[2] = np.nan
        return values + seed

build = Fake
"""

MANIFEST = Manifest((TensorSpec("w", (5,)),))


@pytest.fixture
async def trainer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[TrainerProcess]:
    monkeypatch.setenv("MARK", str(tmp_path / "mark"))
    made = TrainerProcess(TrainerLimits(cancel_grace_s=0.2))
    yield made
    await made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "task.py").write_text(TASK)
    np.zeros(5, "<f4").tofile(tmp_path / "model.f32")
    return tmp_path


def job(folder: Path, number: int = 1, does: str = "nothing", **changes: object) -> jobs.TrainJob:
    fields = {
        "job_id": number,
        "task": jobs.TaskRef(name="fake", file=str(folder / "task.py"), options={"does": does}),
        "data": DataSource(),
        "manifest": MANIFEST,
        "model_path": str(folder / "model.f32"),
        "training": TrainingSpec(),
        "seed": 7,
        "round": 1,
        "node_index": 0,
        "out_path": str(folder / "update.f32"),
    }
    return jobs.TrainJob(**(fields | changes))


def quiet(_: jobs.Progress) -> None:
    pass


async def until(happened: Callable[[], bool]) -> None:
    while not happened():  # noqa: ASYNC110 - another process makes it happen
        await asyncio.sleep(0.01)


def content(path: str) -> bytes | None:
    return Path(path).read_bytes() if Path(path).exists() else None


async def test_an_update_arrives_whole_and_the_process_stays(
    trainer: TrainerProcess, folder: Path
) -> None:
    assert trainer.state == "stopped"
    first = await trainer.run(job(folder), on_progress=quiet)
    pid = trainer.pid
    assert isinstance(first, jobs.Trained)
    data = content(f"{folder}/update.f32")
    assert data is not None
    assert from_bytes(data, MANIFEST).tolist() == [7, 8, 9, 10, 11]
    assert first.digest == hashlib.blake2b(data, digest_size=32).hexdigest()
    assert content(f"{folder}/update.f32.tmp") is None
    second = await trainer.run(job(folder, 2, seed=1), on_progress=quiet)
    assert isinstance(second, jobs.Trained)
    assert second.digest != first.digest
    assert trainer.pid == pid
    assert trainer.state == "idle"
    await trainer.close()
    assert trainer.state == "stopped"
    assert trainer.last_exit is None


async def test_A1_a_vector_with_nan_is_a_failure_and_leaves_no_file(
    trainer: TrainerProcess, folder: Path
) -> None:
    outcome = await trainer.run(job(folder, does="nan"), on_progress=quiet)
    assert isinstance(outcome, jobs.JobFailed)
    assert outcome.kind == "training"
    assert "tensor 'w': nan is not a number" in outcome.reason
    for name in ("update.f32", "update.f32.tmp"):
        assert content(f"{folder}/{name}") is None


async def test_errors_of_a_task_name_its_line(trainer: TrainerProcess, folder: Path) -> None:
    outcome = await trainer.run(job(folder, does="raise"), on_progress=quiet)
    assert isinstance(outcome, jobs.JobFailed)
    assert outcome.kind == "task"
    assert outcome.reason.startswith("the task failed: KeyError: 'colour' (task.py, line ")
    pinned = jobs.TaskRef(name="fake", file=str(folder / "task.py"), sha256="0" * 64)
    outcome = await trainer.run(job(folder, 2, task=pinned), on_progress=quiet)
    assert isinstance(outcome, jobs.JobFailed)
    assert "changed since it was added" in outcome.reason


async def test_a_trainer_that_hangs_is_cancelled_by_force(
    trainer: TrainerProcess, folder: Path
) -> None:
    running = asyncio.create_task(trainer.run(job(folder, does="hang"), on_progress=quiet))
    await until((folder / "mark").exists)
    assert trainer.state == "busy"
    with pytest.raises(RuntimeError, match="one job at a time"):
        await trainer.run(job(folder, 2), on_progress=quiet)
    await trainer.cancel()
    assert await running == jobs.Cancelled(job_id=1)
    again = await trainer.run(job(folder, 3), on_progress=quiet)
    assert isinstance(again, jobs.Trained), "a cancelled job is no crash: no pause before the next"
    assert trainer.last_exit is None


async def test_a_caller_that_is_cancelled_leaves_a_trainer_that_works(
    trainer: TrainerProcess, folder: Path
) -> None:
    running = asyncio.create_task(trainer.run(job(folder, does="hang"), on_progress=quiet))
    await until((folder / "mark").exists)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert isinstance(await trainer.run(job(folder, 2), on_progress=quiet), jobs.Trained)


async def test_cancelling_nothing_and_closing_twice_are_harmless(trainer: TrainerProcess) -> None:
    await trainer.cancel()
    await trainer.close()
    await trainer.close()


async def test_a_killed_trainer_says_so_and_the_next_job_starts_another(
    trainer: TrainerProcess, folder: Path
) -> None:
    running = asyncio.create_task(trainer.run(job(folder, does="hang"), on_progress=quiet))
    await until((folder / "mark").exists)
    assert trainer.pid is not None
    os.kill(trainer.pid, signal.SIGKILL)
    outcome = await running
    assert isinstance(outcome, jobs.JobFailed)
    assert outcome.kind == "crashed"
    assert outcome.reason == "the trainer was killed by signal 9 (out of memory?)"
    assert trainer.last_exit == outcome.reason
    assert trainer.state == "stopped"
    assert isinstance(await trainer.run(job(folder, 2), on_progress=quiet), jobs.Trained)


async def test_a_trainer_killed_while_idle_is_noticed(
    trainer: TrainerProcess, folder: Path
) -> None:
    await trainer.start()
    assert trainer.state == "idle"
    assert trainer.pid is not None
    os.kill(trainer.pid, signal.SIGTERM)
    await until(lambda: trainer.state == "stopped")
    assert trainer.last_exit == "the trainer was killed by signal 15"
    assert isinstance(await trainer.run(job(folder), on_progress=quiet), jobs.Trained)


async def test_a_trainer_that_exits_is_quoted(trainer: TrainerProcess, folder: Path) -> None:
    heard: list[tuple[str, tuple[str, ...]]] = []
    trainer.on_death = lambda cause, last_words: heard.append((cause, last_words))
    outcome = await trainer.run(job(folder, does="exit"), on_progress=quiet)
    assert isinstance(outcome, jobs.JobFailed)
    assert outcome.reason == "the trainer ended by itself with status 3: the last words"
    ((cause, last_words),) = heard
    assert cause == outcome.reason
    assert last_words[-1] == "the last words"


async def test_a_memory_limit_ends_the_trainer_with_its_reason(folder: Path) -> None:
    trainer = TrainerProcess(TrainerLimits(memory_mb=300))
    outcome = await trainer.run(job(folder, does="eat"), on_progress=quiet)
    assert isinstance(outcome, jobs.JobFailed)
    assert outcome.kind == "memory"
    assert "more than the limit of 300 MB" in outcome.reason
    assert trainer.last_exit == outcome.reason
    assert trainer.state == "stopped"
    await trainer.close()


async def test_pauses_between_crashes_double_and_end_with_success(folder: Path) -> None:
    now_s, pauses = 0.0, []

    class Impatient(TrainerProcess):
        async def _pause(self) -> None:
            nonlocal now_s
            pauses.append(self._not_before_s - now_s)
            now_s = max(now_s, self._not_before_s)
            await super()._pause()

    trainer = Impatient(TrainerLimits(), clock=lambda: now_s)
    for number, does in enumerate(["exit", "exit", "exit", "nothing", "exit", "exit"], 1):
        await trainer.run(job(folder, number, does), on_progress=quiet)
    await trainer.close()
    assert pauses == [0.0, 0.5, 1.0, 2.0, 0.5]


async def test_cancel_ends_the_pause_after_a_crash(folder: Path) -> None:
    trainer = TrainerProcess(
        TrainerLimits(), clock=lambda: 0.0
    )  # a pause that never ends by itself
    await trainer.run(job(folder, does="exit"), on_progress=quiet)
    running = asyncio.create_task(trainer.run(job(folder, 2), on_progress=quiet))
    await until(lambda: trainer.state == "waiting")
    trainer._limits = TrainerLimits(cancel_grace_s=30)
    await trainer.cancel()
    assert await running == jobs.Cancelled(job_id=2)
    await trainer.close()


async def test_the_child_dies_with_its_daemon_and_knows_no_passphrase(
    trainer: TrainerProcess, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDTUI_PASSPHRASE", "secret")
    running = asyncio.create_task(trainer.run(job(folder, does="hang"), on_progress=quiet))
    await until((folder / "mark").exists)
    environment = content(f"/proc/{trainer.pid}/environ")
    if environment is not None:  # there is no /proc on macOS
        assert b"secret" not in environment
        assert b"OMP_NUM_THREADS=1" in environment
    assert trainer._life is not None
    stdin = trainer._life._process.stdin
    assert stdin is not None
    stdin.close()  # all that the child sees of a daemon that dies
    outcome = await running
    assert isinstance(outcome, jobs.JobFailed)
    assert "status 0" in outcome.reason


async def test_cancelling_a_job_spares_the_one_behind_it(
    trainer: TrainerProcess, folder: Path
) -> None:
    """Who waited for the first to end may come back when the second runs already."""
    queue = asyncio.Lock()

    async def do(number: int) -> jobs.Outcome:
        async with queue:
            return await trainer.run(job(folder, number, does="rest"), on_progress=print)

    await trainer.start()
    first = asyncio.create_task(do(1))
    await asyncio.sleep(0)
    assert trainer.state == "busy"
    cancelling = asyncio.create_task(trainer.cancel())
    second = asyncio.create_task(do(2))
    await first
    await cancelling
    assert isinstance(await second, jobs.Trained)


def mask_job(
    folder: Path, update_D: np.ndarray, number: int = 1, *, num_seeds: int = 2
) -> jobs.MaskJob:
    update_D.astype("<f4").tofile(folder / "update.f32")
    seeds = tuple(bytes([s % 256, s // 256]) + b"s" * 30 for s in range(num_seeds))
    return jobs.MaskJob(
        job_id=number,
        update_path=str(folder / "update.f32"),
        out_path=str(folder / "masked.u64"),
        encoding=Encoding(
            num_values=len(update_D),
            scalars=("weight", "examples"),
            lanes=2,
            largest_cohort=10,
            value_range=4.0,
        ),
        scalars={"examples": 7.0, "weight": 3.0},
        weight=0.3,
        rounding_seed=masks.rounding_seed_of(update_D),
        plus=seeds,
        minus=(b"m" * 32,),
    )


def masked_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("masked*"))


async def test_an_update_is_masked_as_the_function_does(
    trainer: TrainerProcess, folder: Path
) -> None:
    update_D = np.random.default_rng(1).normal(0, 1, 40_000).astype(np.float32)
    update_D[:3] = 99.0
    job = mask_job(folder, update_D)
    outcome = await trainer.run(job, on_progress=quiet)
    words, num_saturated = masks.masked(
        job.encoding,
        update_D,
        job.scalars,
        weight=job.weight,
        of=Masks(job.plus, job.minus, job.keystream),
    )
    data = words.astype("<u8").tobytes()
    assert num_saturated == 3
    assert outcome == jobs.Masked(
        job_id=1,
        out_path=job.out_path,
        digest=hashlib.blake2b(data, digest_size=32).hexdigest(),
        num_bytes=job.encoding.num_bytes,
        num_saturated=3,
    )
    assert content(job.out_path) == data
    assert content(job.out_path + ".tmp") is None
    assert b"torch" not in (content(f"/proc/{trainer.pid}/maps") or b"")
    for name in ("cmdline", "environ"):
        assert b"ssssssss" not in (content(f"/proc/{trainer.pid}/{name}") or b"")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
async def test_A1_an_update_that_is_not_finite_is_never_masked(
    trainer: TrainerProcess, folder: Path, bad: float
) -> None:
    update_D = np.zeros(40_000, np.float32)
    update_D[-1] = bad  # in the last of several chunks
    outcome = await trainer.run(mask_job(folder, update_D), on_progress=quiet)
    assert isinstance(outcome, jobs.JobFailed)
    assert (outcome.kind, outcome.reason) == (
        "training",
        "the update holds NaN or Inf: nothing is sent",
    )
    assert masked_files(folder) == []


async def test_an_update_of_another_size_is_never_masked(
    trainer: TrainerProcess, folder: Path
) -> None:
    job = mask_job(folder, np.zeros(10, np.float32))
    np.zeros(9, "<f4").tofile(job.update_path)
    outcome = await trainer.run(job, on_progress=quiet)
    assert isinstance(outcome, jobs.JobFailed)
    assert (outcome.kind, outcome.reason) == (
        "training",
        "the update's file has 36 bytes, 40 are expected",
    )


async def test_masking_is_cancelled_between_chunks_and_leaves_no_file(folder: Path) -> None:
    patient = TrainerProcess(TrainerLimits(cancel_grace_s=30))
    job = mask_job(folder, np.zeros(2_000_000, np.float32), num_seeds=2000)
    running = asyncio.create_task(patient.run(job, on_progress=quiet))
    await until(Path(job.out_path + ".tmp").exists)
    pid = patient.pid
    await patient.cancel()
    assert await running == jobs.Cancelled(job_id=1)
    assert patient.pid == pid, "it stopped by itself"
    assert masked_files(folder) == []
    outcome = await patient.run(mask_job(folder, np.zeros(9, np.float32), 2), on_progress=quiet)
    assert isinstance(outcome, jobs.Masked)
    await patient.close()


async def test_a_kill_waits_for_no_grace(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARK", str(tmp_path / "mark"))
    trainer = TrainerProcess(TrainerLimits(cancel_grace_s=600))
    running = asyncio.create_task(trainer.run(job(folder, does="hang"), on_progress=quiet))
    await until((tmp_path / "mark").exists)
    process = psutil.Process(trainer.pid)
    await trainer.kill()
    assert not process.is_running()
    assert await running == jobs.Cancelled(job_id=1)
    assert trainer.last_exit is None
    outcome = await trainer.run(job(folder, 2), on_progress=quiet)
    assert isinstance(outcome, jobs.Trained), "the next job gets a fresh process"
    await trainer.close()


async def test_a_process_that_is_only_being_made_is_killed_too(folder: Path) -> None:
    trainer = TrainerProcess(TrainerLimits())
    running = asyncio.create_task(trainer.run(job(folder), on_progress=quiet))
    await asyncio.sleep(0)
    assert trainer.pid is None
    await trainer.kill()
    assert await running == jobs.Cancelled(job_id=1)
    await until(lambda: trainer.state == "stopped")
