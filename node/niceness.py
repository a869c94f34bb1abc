"""Niceness: a process that gives way to everything else on this machine.

Where the kernel groups processes by session (sched_autogroup_enabled), niceness counts only within
a session, and sessions share the processor evenly: a trainer in a session of its own would take as
much of it as the operator's screen, whatever its own niceness. The group has one too, sched(7).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")


def give_way(by: int, autogroup: Path = AUTOGROUP) -> None:
    """Add `by` (0 to 19) to the niceness of this process; of its session's group, if it leads one.

    A system without such groups is left as it is: there the first is enough.
    """
    niceness = os.nice(by)
    if os.getsid(0) != os.getpid():
        return  # others live in this session
    with suppress(OSError):
        fd = os.open(autogroup, os.O_WRONLY)  # never made: it is there, or the system has none
        try:
            os.write(fd, str(max(0, niceness)).encode())
        finally:
            os.close(fd)
