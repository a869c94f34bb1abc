"""ControlClient: the NodeControls of a node in another process, over its control socket.

Each call opens the socket, says hello and goes; only `watch` stays, and comes back with its cursor
when the node was away. So a client holds nothing that could go stale, and a node that restarts
needs nothing from it.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from fedtui.control import messages
from fedtui.control.messages import (
    Ack,
    Attach,
    Command,
    CommandName,
    Err,
    Happened,
    Hello,
    Snapshot,
)
from fedtui.status import (
    CheckReport,
    FoundCoordinator,
    InviteSeen,
    LedgerLine,
    Limits,
    LogLine,
    NodeStatus,
    PastRound,
    ProbedCoordinator,
    Refused,
    Setup,
    reduce,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

EXIT_NOT_RUNNING = 6
NOT_RUNNING_REMEDY = "start it with 'fedtui join', or 'fedtui node --foreground'"
_BACK_OFF_S = 0.5
_Answer = TypeVar("_Answer")


class NotRunningError(Refused):
    """Nobody answers on the control socket."""

    def __init__(self) -> None:
        super().__init__(
            "no node is running for this profile",
            remedy=NOT_RUNNING_REMEDY,
            exit_code=EXIT_NOT_RUNNING,
        )


class ControlClient:
    """Implements fedtui.status.NodeControls for the node behind `socket`.

    `patience_s` bounds the wait for the node's first line; commands may take as long as they need.
    """

    def __init__(
        self,
        socket: Path,
        *,
        patience_s: float = 5.0,
        seen: Callable[[Hello | None], None] = lambda _: None,
    ) -> None:
        """`seen` hears of each node that `watch` attaches to, and None when it is gone."""
        self._socket = socket
        self._patience_s = patience_s
        self._seen = seen
        self._last_id = 0

    async def hello(self) -> Hello:
        """Who answers. Raises NotRunningError if nobody does."""
        async with self._attached() as (_, _, hello):
            return hello

    async def status(self) -> NodeStatus:
        ack = await self._ask("status")
        return ack.status or NodeStatus()

    async def watch(self) -> AsyncIterator[NodeStatus]:
        """The status now and after every change, across restarts of the node, until closed.

        Raises NotRunningError if the node does not answer at the start; later it waits for it.
        """
        known: NodeStatus | None = None
        while True:
            try:
                async with self._attached(watch=True, known=known) as (reader, _, hello):
                    self._seen(hello)
                    async for message in _lines(reader):
                        known = _follow(known, message)
                        if known:
                            yield known
            except NotRunningError:
                if known is None:
                    raise
            self._seen(None)
            await asyncio.sleep(_BACK_OFF_S)

    async def discover(self) -> tuple[FoundCoordinator, ...]:
        return (await self._ask("discover")).found

    async def probe(self, address: str) -> ProbedCoordinator:
        return _present((await self._ask("probe", text=address)).probed)

    async def read_invite(self, invite: str) -> InviteSeen:
        return _present((await self._ask("read_invite", text=invite)).invite)

    async def setup(self, choice: Setup) -> None:
        await self._ask("setup", choice=choice)

    async def join(self, invite: str = "") -> None:
        await self._ask("join", text=invite)

    async def join_at(self, address: str, coordinator_id: str) -> None:
        await self._ask("join_at", text=address, other=coordinator_id)

    async def check(self) -> CheckReport:
        return _present((await self._ask("check")).check)

    async def consent(self, plan_hash: str) -> None:
        await self._ask("consent", text=plan_hash)

    async def withdraw(self) -> None:
        await self._ask("withdraw")

    async def pause(self, until: float = 0.0) -> None:
        await self._ask("pause", until=until)

    async def resume(self) -> None:
        await self._ask("resume")

    async def stop_sharing(self) -> None:
        await self._ask("stop_sharing")

    async def limit(self, limits: Limits) -> None:
        await self._ask("limit", limits=limits)

    async def retry(self) -> None:
        await self._ask("retry")

    async def acknowledge(self, alarm_id: int) -> None:
        await self._ask("acknowledge", number=alarm_id)

    async def rotate_key(self) -> None:
        await self._ask("rotate_key")

    async def leave(self, *, after_round: bool = False, forget: bool = False) -> None:
        await self._ask("leave", after_round=after_round, forget=forget)

    async def stop(self) -> None:
        await self._ask("stop")

    async def ledger(self, limit: int = 100) -> tuple[LedgerLine, ...]:
        return (await self._ask("ledger", limit=limit)).ledger

    async def log(self, limit: int = 100) -> tuple[LogLine, ...]:
        return (await self._ask("log", limit=limit)).log

    async def history(self, limit: int = 100) -> tuple[PastRound, ...]:
        return (await self._ask("history", limit=limit)).history

    async def words(self) -> tuple[str, ...]:
        return (await self._ask("words")).words

    async def _ask(self, name: CommandName, **fields: Any) -> Ack:
        self._last_id += 1
        command = Command(id=self._last_id, name=name, **fields)
        async with self._attached() as (reader, writer, hello):
            if hello.proto != messages.PROTO and name != "status":
                raise Refused(
                    f"the node speaks control protocol {hello.proto}, this command "
                    f"{messages.PROTO}: it may look but not command",
                    remedy="restart the node with 'fedtui stop', then 'fedtui join'",
                    exit_code=10,
                )
            writer.write(messages.encode(command))
            await writer.drain()
            async for message in _lines(reader):
                match message:
                    case Ack(id=command.id):
                        return message
                    case Err(id=command.id):
                        raise Refused(
                            message.text, remedy=message.remedy, exit_code=message.exit_code
                        )
                    case _:
                        continue
        raise NotRunningError

    @asynccontextmanager
    async def _attached(
        self, *, watch: bool = False, known: NodeStatus | None = None
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, Hello]]:
        try:
            async with asyncio.timeout(self._patience_s):
                reader, writer = await asyncio.open_unix_connection(
                    self._socket, limit=messages.MAX_LINE_BYTES
                )
        except (OSError, TimeoutError) as error:
            raise NotRunningError from error
        try:
            async with asyncio.timeout(self._patience_s):
                hello = messages.decode_from_node(await _line(reader))
            if not isinstance(hello, Hello):
                raise NotRunningError
            same = known is not None and known.started_at == hello.started_at
            since = known.seq if known and same else None
            attach = Attach(proto=messages.PROTO, watch=watch, since=since)
            writer.write(messages.encode(attach))
            yield reader, writer, hello
        except (ConnectionError, TimeoutError, messages.ControlError) as error:
            raise NotRunningError from error
        finally:
            writer.close()


def _present(answer: _Answer | None) -> _Answer:
    """What the node answered; an answer without it comes from another protocol."""
    if answer is None:
        raise Refused("the node answered something else than was asked", exit_code=10)
    return answer


def _follow(known: NodeStatus | None, message: messages.FromNode) -> NodeStatus | None:
    match message:
        case Snapshot():
            return message.status
        case Happened() if known:
            return reduce(known, message.event)
        case _:
            return known


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[messages.FromNode]:
    while line := await _line(reader):
        yield messages.decode_from_node(line)


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ValueError as error:
        raise messages.ControlError("a line is too long") from error
