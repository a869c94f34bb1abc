"""The six words of nodes that wait for approval, made off the event loop, one at a time.

Strangers can wait in numbers and each costs half a second and 256 MiB, so words are made only
while somebody looks at the node, only a few are asked for at once, and the last ones are kept.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from coordinator import spokenwords

log = structlog.get_logger(__name__)

MAX_KEPT = 256
MAX_ASKED = 16
Words = tuple[str, ...]


async def made_elsewhere(node_id: bytes) -> Words:
    """The words of an id, made in a process of its own; empty if that fails."""
    process = await asyncio.create_subprocess_exec(
        *spokenwords.command(node_id),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        said, _ = await process.communicate()
        return spokenwords.parsed(said, node_id)
    except msgspec.DecodeError:
        log.warning("no words", node=node_id, status=process.returncode)
        return ()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


class NodeWords:
    """Answers at once with what it knows, and makes the rest meanwhile."""

    def __init__(self, make: Callable[[bytes], Awaitable[Words]] = made_elsewhere) -> None:
        self._make = make
        self._kept: OrderedDict[bytes, Words] = OrderedDict()
        self._asked: OrderedDict[bytes, None] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    def keep(self, node_id: bytes, words: Words) -> None:
        """These are the words of an id."""
        self._kept[node_id] = words
        self._kept.move_to_end(node_id)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)

    def of(self, node_id: bytes) -> Words:
        """The words, or nothing while they are being made."""
        known = self._kept.get(node_id)
        if known is not None:
            return known
        if len(self._asked) < MAX_ASKED:
            self._asked[node_id] = None
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work())
        return ()

    async def _work(self) -> None:
        while self._asked:
            node_id = next(iter(self._asked))
            try:
                self.keep(node_id, await self._make(node_id))
            except OSError as error:  # no process can be started now
                log.warning("no words", node=node_id, text=str(error))
                self.keep(node_id, ())
            del self._asked[node_id]

    async def finish(self) -> None:
        """Stop what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
