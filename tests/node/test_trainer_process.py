import signal
import sys

import pytest

from fedtui.learning.data import DataSource
from node import jobs
from node.trainer_process import TrainerLife, _cause

JOB = jobs.CheckJob(job_id=1, task=jobs.TaskRef(name="t"), data=DataSource())
READY = 'import sys, os; print(\'{"type":"ready","pid":1}\', flush=True); '


async def life_of(code: str, causes: list[str | None]) -> TrainerLife:
    return await TrainerLife.spawn([sys.executable, "-c", READY + code], causes.append, limit=4096)


@pytest.mark.parametrize(
    "garbage",
    ["print('what?', flush=True)", "print('x' * 9000, flush=True)", "os.write(1, b'\\xff\\n')"],
)
async def test_a_line_that_is_no_reply_ends_the_process(garbage: str) -> None:
    causes: list[str | None] = []
    life = await life_of(f"input(); {garbage}; input()", causes)
    assert await life.do(JOB, lambda _: None) is None
    await life.gone.wait()
    assert causes == ["the trainer was stopped: it wrote a line that is no reply"]
    assert await life.do(JOB, lambda _: None) is None


async def test_replies_to_other_jobs_are_nobodys_business() -> None:
    causes: list[str | None] = []
    lines = "".join(jobs.encode(jobs.Cancelled(job_id=n)).decode() for n in (7, 8, 1))
    life = await life_of(f"input(); print({lines!r}, end='', flush=True); input()", causes)
    assert await life.do(JOB, lambda _: None) == jobs.Cancelled(job_id=1)
    life.let_go()
    await life.gone.wait()
    assert causes == [None]


async def test_stderr_never_blocks_and_only_its_end_is_kept() -> None:
    causes: list[str | None] = []
    code = "sys.stderr.write('x' * 1_000_000 + '\\nthe end\\n'); sys.exit(5)"
    life = await life_of(code, causes)
    await life.gone.wait()
    assert causes == ["the trainer ended by itself with status 5: the end"]
    assert len(life._stderr_tail) == 8192


@pytest.mark.parametrize(
    ("ending", "said"),
    [("sys.exit(7)", "by itself with status 7"), ("os.kill(os.getpid(), 9)", "by signal 9")],
)
async def test_what_a_task_left_running_does_not_hide_the_end(ending: str, said: str) -> None:
    causes: list[str | None] = []
    life = await life_of(f"import subprocess; subprocess.Popen(['sleep', '60']); {ending}", causes)
    assert await life.do(JOB, lambda _: None) is None
    assert causes[0] is not None
    assert said in causes[0]


async def test_an_end_that_we_brought_about_has_no_cause() -> None:
    causes: list[str | None] = []
    life = await life_of("input()", causes)
    await life.ready.wait()
    life.kill()
    await life.gone.wait()
    life.kill()
    assert causes == [None]


def test_causes_are_sentences() -> None:
    assert _cause(-signal.SIGKILL, b"") == "the trainer was killed by signal 9 (out of memory?)"
    assert _cause(-signal.SIGSEGV, b"") == "the trainer was killed by signal 11"
    assert _cause(jobs.EXIT_MEMORY, b"") == "the trainer went over its memory limit"
    assert _cause(1, b"Traceback\nOSError: disk\n").endswith("status 1: OSError: disk")
    assert len(_cause(1, b"y" * 8000)) < 300
