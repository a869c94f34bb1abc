"""Niceness: a process that gives way to everything else on this machine.

Where the kernel groups processes by session (sched_autogroup_enabled), niceness counts only within
a session, and sessions share the processor evenly: a trainer in a session of its own would take as
much of it as the operator's screen, whatever its own niceness. The group has one too, sched(7).
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

AUTOGROUP = Path("/proc/self/autogroup")
AGAIN_S = 0.1
MAX_TRIES = 20


def give_way(
    by: int, autogroup: Path = AUTOGROUP, *, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Add `by` (0 to 19) to the niceness of this process; of its session's group, if it leads one.

    A system without such groups is left as it is: there the first is enough. Where others set
    theirs at the same time it may take MAX_TRIES times AGAIN_S seconds, and is then given up.
    """
    niceness = os.nice(by)
    if os.getsid(0) != os.getpid():
        return  # others live in this session
    with suppress(OSError):
        fd = os.open(autogroup, os.O_WRONLY)  # never made: it is there, or the system has none
        try:
            for _ in range(MAX_TRIES):
                # the kernel takes one write per 100 ms, whoever writes, without CAP_SYS_ADMIN
                with suppress(BlockingIOError):
                    os.write(fd, str(max(0, niceness)).encode())
                    return
                sleep(AGAIN_S)
        finally:
            os.close(fd)
