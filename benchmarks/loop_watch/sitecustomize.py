"""Python imports this file before a program begins: its event loop's every callback is timed.

With this folder on PYTHONPATH, and LOOP_WATCH naming a folder, each program leaves there
`<what it is>-<pid>.json`: how many callbacks ran, and which of them took more than LIMIT_S of
processor time of the loop's thread (so a busy machine is nobody's fault). benchmarks/loops.py
adds them up.
"""

# ruff: noqa: SLF001 - asyncio itself tells only in its slow debug mode

import asyncio
import atexit
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

LIMIT_S = 0.010


def name_of(handle: Any) -> str:
    """What the callback is: a task by its coroutine's name, else a function."""
    owner = getattr(handle._callback, "__self__", None)
    named = owner.get_coro() if isinstance(owner, asyncio.Task) else handle._callback
    return str(getattr(named, "__qualname__", named))


def watch(what: str, folder: Path) -> None:
    ran = asyncio.Handle._run
    seen: dict[str, Any] = {"num": 0, "slow": []}

    def timed(self: Any) -> None:
        before = time.thread_time()
        ran(self)
        took = time.thread_time() - before
        seen["num"] += 1
        if took > LIMIT_S:
            seen["slow"].append([round(1000 * took, 1), name_of(self)])
            tell()  # whoever is killed has told

    def tell() -> None:
        (folder / f"{what}-{os.getpid()}.json").write_text(json.dumps(seen))

    asyncio.Handle._run = timed
    atexit.register(tell)


if os.environ.get("LOOP_WATCH"):
    words = " ".join(sys.orig_argv)
    roles = {"node.trainer_child": "", "coordinator serve": "coordinator", "node.daemon": "node"}
    roles |= {"node --profile": "node" if "--foreground" in words else "", "bin/fedtui": "screen"}
    for part, role in roles.items():
        if part in words:
            if role:
                watch(role, Path(os.environ["LOOP_WATCH"]))
            break
