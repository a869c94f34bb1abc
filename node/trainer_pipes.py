"""How the trainer process hears, speaks and ends: its pipes to the daemon and its memory limit.

Free of torch and of jobs' meaning; node/trainer_child.py does the jobs.
"""

from __future__ import annotations

import os
import queue
import resource
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from node.jobs import EXIT_MEMORY, Bounds, Cancel, Job, JobFailed, Reply, decode_request, encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

_MEMORY_CHECK_EVERY_S = 0.2
_STATM = Path("/proc/self/statm")


class Outbox:
    """Replies to the daemon, one line each, on what was stdout. Safe from any thread.

    From then on stdout is stderr: what a task prints cannot garble a reply.
    """

    def __init__(self) -> None:
        self._descriptor = os.dup(1)
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def send(self, reply: Reply) -> None:
        """Write a whole line."""
        data = encode(reply)
        with self._lock:
            while data:
                data = data[os.write(self._descriptor, data) :]


class Inbox:
    """Jobs from stdin, in order, which of them the daemon no longer wants, and what is allowed."""

    def __init__(self, bounds: Bounds = Bounds()) -> None:  # noqa: B008 - frozen
        self.bounds = bounds
        self._jobs: queue.Queue[Job] = queue.Queue()
        self._cancelled: set[int] = set()
        self.current = 0  # number of the job being done, 0 when idle

    def next(self) -> Job:
        """Wait for a job."""
        self.current = 0
        job = self._jobs.get()
        self.current = job.job_id
        return job

    def is_cancelled(self) -> bool:
        """Whether the current job should stop."""
        return self.current in self._cancelled

    def listen(self) -> NoReturn:
        """Read stdin until the daemon closes it or dies, then end the process at once."""
        for line in sys.stdin.buffer:
            request = decode_request(line)
            if isinstance(request, Cancel):
                self._cancelled.add(request.job_id)
            elif isinstance(request, Bounds):
                self.bounds = request
            else:
                self._jobs.put(request)
        os._exit(0)


def watch_memory(inbox: Inbox, outbox: Outbox) -> NoReturn:
    """Say so and end the process once it uses more than the limit; the body of a thread."""
    while True:
        limit_mb = inbox.bounds.memory_mb
        used_mb = resident_mb() if limit_mb else 0
        if used_mb > limit_mb:
            reason = (
                f"the trainer used {used_mb} MB of memory, more than the limit of {limit_mb} MB: "
                "raise the limit or ask for a smaller batch_size"
            )
            outbox.send(JobFailed(job_id=inbox.current, reason=reason, kind="memory"))
            os._exit(EXIT_MEMORY)
        time.sleep(_MEMORY_CHECK_EVERY_S)


def resident_mb() -> int:
    """Resident memory of this process; where there is no /proc, the most it ever was."""
    try:
        pages = int(_STATM.read_bytes().split()[1])
    except FileNotFoundError:  # macOS, where ru_maxrss counts bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20
    return pages * resource.getpagesize() // 2**20


def start(body: Callable[[], NoReturn]) -> None:
    """Run `body` in a thread that does not keep the process alive."""
    threading.Thread(target=body, daemon=True).start()
