"""Watching: CoordinatorControls over the admin socket, for screens in another process.

`watch` follows the coordinator's events on one connection; each of them, and the passing of
BOARD_EVERY_S, has the board asked for anew, at most every SETTLE_S. If the coordinator stops, is
restarted or hangs, the watch says so once and comes back by itself. Every command has a connection
of its own, so nothing is held that could go stale.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import TypeVar

import msgspec

from coordinator import adminclient
from coordinator.answers import Done, NodeLine
from coordinator.asks import (
    AnyAsk,
    AskApprove,
    AskBoard,
    AskEvict,
    AskFollow,
    AskInvite,
    AskInvites,
    AskNext,
    AskPause,
    AskReject,
    AskResume,
    AskRevoke,
    AskRevokeInvite,
    AskStop,
)
from coordinator.exits import of_error
from coordinator.layout import Layout
from coordinator.outcomes import AboutNode, sentence
from coordinator.refusals import NotRunningError
from coordinator.telling import happened
from fedtui.status import Refused
from fedtui.status.coordinator import (
    Board,
    BoardSeen,
    ConnectionLost,
    InviteLine,
    InvitesSeen,
    InviteWish,
    MadeInvite,
    Seen,
)

T = TypeVar("T")

SETTLE_S = 0.4
BOARD_EVERY_S = 2.0
BACK_OFF_S = 0.5
PATIENCE_S = 10.0  # for an answer; a coordinator that hangs counts as lost


class Watching:
    """One coordinator, by its directory. `clock` gives UTC seconds."""

    def __init__(self, layout: Layout, *, clock: Callable[[], float]) -> None:
        self._layout = layout
        self._clock = clock

    # ---- looking --------------------------------------------------------------------------------

    async def watch(self) -> AsyncIterator[Seen]:
        """How things stand now and whenever that changes, across restarts, until closed."""
        lost = False
        while True:
            try:
                async with contextlib.aclosing(self._attached()) as found:
                    async for seen in found:
                        lost = False
                        yield seen
                text = "the coordinator hung up"
            except NotRunningError as error:
                text = str(error)
            except (adminclient.RefusedError, msgspec.DecodeError) as error:
                text = f"it speaks another version: {str(error)[:100]}"
            if not lost:
                lost = True
                yield ConnectionLost(at=self._clock(), text=text)
            await asyncio.sleep(BACK_OFF_S)

    async def _attached(self) -> AsyncGenerator[Seen, None]:
        """One life of the coordinator.

        Raises:
            NotRunningError: nobody answers, or not in time.
        """
        async with self._connected() as (reader, writer):
            writer.write(msgspec.json.encode(AskFollow()) + b"\n")
            lines: asyncio.Queue[bytes] = asyncio.Queue()
            reading = asyncio.create_task(_read_into(reader, lines))
            try:
                async with contextlib.aclosing(self._boards(lines)) as found:
                    async for seen in found:
                        yield seen
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def _boards(self, lines: "asyncio.Queue[bytes]") -> AsyncGenerator[Seen, None]:
        known_invites: tuple[int, int] | None = None
        while True:
            board = await self._ask(AskBoard(), Board)
            yield BoardSeen(board=board)
            newest = (board.incarnation, board.invites_changed)
            if newest != known_invites:
                invites = await self._ask(AskInvites(), list[InviteLine])
                yield InvitesSeen(invites=tuple(invites))
                known_invites = newest
            for line in await _gathered(lines):
                if not line:
                    return
                said = happened(msgspec.json.decode(line))
                if said is not None:
                    yield said

    # ---- commands -------------------------------------------------------------------------------

    async def approve(self, fingerprint: str) -> str:
        return await self._done_to(AskApprove(fingerprint=fingerprint))

    async def reject(self, fingerprint: str) -> str:
        return await self._done_to(AskReject(fingerprint=fingerprint))

    async def revoke(self, fingerprint: str) -> str:
        return await self._done_to(AskRevoke(fingerprint=fingerprint))

    async def evict(self, fingerprint: str) -> str:
        return await self._done_to(AskEvict(fingerprint=fingerprint))

    async def invite(self, wish: InviteWish) -> MadeInvite:
        ask = AskInvite(
            role=wish.role,
            label=wish.label,
            hours=wish.hours,
            uses=wish.uses,
            auto_approve=wish.auto_approve,
        )
        return await self._command(ask, MadeInvite)

    async def revoke_invite(self, invite_id: str) -> str:
        return (await self._command(AskRevokeInvite(id=invite_id), Done)).text

    async def pause(self) -> str:
        return (await self._command(AskPause(), Done)).text

    async def resume(self) -> str:
        return (await self._command(AskResume(), Done)).text

    async def next_round(self) -> str:
        return (await self._command(AskNext(), Done)).text

    async def stop(self) -> str:
        return (await self._command(AskStop(), Done)).text

    async def _done_to(self, ask: AboutNode) -> str:
        return sentence(ask, await self._command(ask, NodeLine))

    async def _command(self, ask: AnyAsk, shape: type[T]) -> T:
        """What the commands answer. Raises Refused with the commands' words and exit status."""
        try:
            return await self._ask(ask, shape)
        except (adminclient.RefusedError, NotRunningError, msgspec.DecodeError) as error:
            known = of_error(error)
            text, status = known or ("the coordinator speaks another version: restart it", 1)
            raise Refused(text, exit_code=int(status)) from error

    async def _ask(self, ask: AnyAsk, shape: type[T]) -> T:
        """Ask once. Raises RefusedError, NotRunningError or DecodeError."""
        async with self._connected() as (reader, writer):
            writer.write(msgspec.json.encode(ask) + b"\n")
            try:
                async with asyncio.timeout(PATIENCE_S):
                    line = await reader.readline()
            except TimeoutError as error:
                raise NotRunningError(
                    f"the coordinator does not answer for {PATIENCE_S:.0f} s"
                ) from error
            except (OSError, ValueError) as error:
                raise NotRunningError("the coordinator hung up before it answered") from error
        return adminclient.answered(line, shape)

    @contextlib.asynccontextmanager
    async def _connected(
        self,
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        path = adminclient.where(self._layout)
        try:
            async with asyncio.timeout(PATIENCE_S):
                reader, writer = await asyncio.open_unix_connection(
                    path, limit=adminclient.MAX_ANSWER_BYTES
                )
        except (OSError, TimeoutError) as error:
            raise NotRunningError(f"no coordinator runs in {self._layout.root}") from error
        try:
            yield reader, writer
        finally:
            writer.close()


async def _read_into(reader: asyncio.StreamReader, lines: "asyncio.Queue[bytes]") -> None:
    """Every line of the events; an empty one is the end."""
    try:
        while line := await reader.readline():
            lines.put_nowait(line)
    except (OSError, ValueError):
        pass
    lines.put_nowait(b"")


async def _gathered(lines: "asyncio.Queue[bytes]") -> list[bytes]:
    """What comes next, with what comes right after it; nothing if nothing comes for a while."""
    found: list[bytes] = []
    try:
        async with asyncio.timeout(BOARD_EVERY_S):
            found.append(await lines.get())
    except TimeoutError:
        return found
    if found[0]:
        await asyncio.sleep(SETTLE_S)
    while not lines.empty():
        found.append(lines.get_nowait())
    return found
