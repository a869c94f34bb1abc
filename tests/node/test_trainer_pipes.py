import subprocess
import sys

import psutil
import pytest

from fedtui.learning.data import DataSource
from node import jobs
from node.trainer_pipes import Inbox, resident_mb

CHECK = jobs.CheckJob(job_id=5, task=jobs.TaskRef(name="t"), data=DataSource())

CHILD = """
import sys
from node.jobs import Cancelled
from node.trainer_pipes import Inbox, Outbox, start
inbox, outbox = Inbox(), Outbox()
print("a task prints")
start(inbox.listen)
job = inbox.next()
while not inbox.is_cancelled():
    pass
outbox.send(Cancelled(job_id=job.job_id))
inbox.next()
print("never reached: stdin was closed")
"""


def test_jobs_and_cancels_come_in_and_only_replies_go_out() -> None:
    lines = jobs.encode(CHECK) + jobs.encode(jobs.Cancel(job_id=5))
    with subprocess.Popen(
        [sys.executable, "-c", CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(lines)
        child.stdin.flush()
        assert jobs.decode_reply(child.stdout.readline()) == jobs.Cancelled(job_id=5)
        rest, noise = child.communicate(timeout=20)
    assert (rest, child.returncode) == (b"", 0)
    assert noise.split(b"\n")[0] in (b"", b"a task prints")


def test_a_cancel_is_for_one_job_only(monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = Inbox()
    inbox._cancelled.add(4)
    inbox._jobs.put(CHECK)
    assert inbox.next() == CHECK
    assert not inbox.is_cancelled()
    inbox._cancelled.add(5)
    assert inbox.is_cancelled()


def test_resident_memory_is_what_the_system_says() -> None:
    assert resident_mb() == pytest.approx(psutil.Process().memory_info().rss / 2**20, abs=5)


def test_what_is_allowed_may_change_while_a_job_runs() -> None:
    bounds = jobs.Bounds(cpu_percent=50, num_threads=4)
    assert bounds.cores == 2.0
    assert jobs.Bounds().cores is None
    assert jobs.decode_request(jobs.encode(bounds)) == bounds
    inbox = Inbox(bounds)
    inbox._jobs.put(CHECK)
    assert inbox.next() == CHECK
    assert inbox.bounds == bounds
