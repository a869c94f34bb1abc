"""The control socket's server: status out, commands in (fedtui/control/messages.py).

The socket is 0600 in a folder of 0700, so whoever reaches it is this operator (or root). A screen
that does not read cannot hold the node up: its events are dropped once its queue is full, and it
gets a snapshot when it reads again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

from fedtui.control import messages
from fedtui.control.messages import Ack, Attach, Command, Err, Happened, Hello, Snapshot
from fedtui.status import Setup
from node.exits import Exit, of_error

if TYPE_CHECKING:
    from pathlib import Path

    from fedtui.status import Event, NodeControls
    from node.board import Board

MAX_SCREENS = 32
MAX_QUEUED_EVENTS = 256
MAX_UNREAD_BYTES = 256 * 1024
ATTACH_WITHIN_S = 5.0
CLOSE_WITHIN_S = 1.0
MAX_COMMANDS = 8


class ControlServer:
    """Serves one node's controls on `socket` until closed."""

    def __init__(self, socket: Path, *, controls: NodeControls, board: Board) -> None:
        self._socket = socket
        self._controls = controls
        self._board = board
        self._screens: set[_Screen] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. The caller holds the profile's lock, so a socket in the way is a dead one."""
        self._socket.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(
                self._serve, self._socket, limit=messages.MAX_LINE_BYTES
            )
        finally:
            os.umask(mask)

    async def close(self) -> None:
        """Stop listening and let the screens go, after what was answered is written."""
        if self._server is not None:
            self._server.close()
            self._socket.unlink(missing_ok=True)
        await asyncio.gather(*(screen.close() for screen in tuple(self._screens)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._screens) >= MAX_SCREENS:
            writer.close()
            return
        screen = _Screen(reader, writer, self._controls, self._board)
        self._screens.add(screen)
        try:
            await screen.run()
        except (ConnectionError, TimeoutError, ValueError, messages.ControlError):
            pass  # a broken screen is its own trouble
        finally:
            self._screens.discard(screen)
            writer.close()


class _Screen:
    """One connection: a reader of commands, a writer of answers and events."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        controls: NodeControls,
        board: Board,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._controls = controls
        self._board = board
        self._queue: list[Event] = []
        self._behind = False
        self._wake = asyncio.Event()
        self._commands: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        writer.transport.set_write_buffer_limits(high=MAX_UNREAD_BYTES)

    async def run(self) -> None:
        now = self._board.status
        self._write(
            Hello(
                proto=messages.PROTO,
                node=now.label,
                version=now.version,
                pid=now.pid,
                started_at=now.started_at,
            )
        )
        async with asyncio.timeout(ATTACH_WITHIN_S):
            first = messages.decode_from_screen(await self._reader.readline())
        if not isinstance(first, Attach):
            raise messages.ControlError("a screen attaches first")
        teller = asyncio.create_task(self._tell(first.since)) if first.watch else None
        try:
            await self._listen()
            if self._commands:
                await asyncio.wait(self._commands)
        finally:
            self._over.set()
            if teller is not None:
                teller.cancel()
            for task in self._commands:
                task.cancel()

    async def close(self) -> None:
        """Finish the answers under way, then end."""
        if self._commands:
            await asyncio.wait(self._commands, timeout=CLOSE_WITHIN_S)
        self._reader.feed_eof()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), CLOSE_WITHIN_S)

    async def _listen(self) -> None:
        while line := await self._reader.readline():
            message = messages.decode_from_screen(line)
            if isinstance(message, Command):
                while len(self._commands) >= MAX_COMMANDS:
                    await asyncio.wait(self._commands, return_when=asyncio.FIRST_COMPLETED)
                task = asyncio.create_task(self._obey(message))
                self._commands.add(task)
                task.add_done_callback(self._commands.discard)

    async def _obey(self, command: Command) -> None:
        answer: Ack | Err
        try:
            answer = await _carry_out(command, self._controls)
        except Exception as error:  # noqa: BLE001 - a failing command must not end the daemon
            known = of_error(error)
            if known is None:
                known_text = f"a bug in fedtui: {type(error).__name__}: {error}"
                answer = Err(id=command.id, text=known_text, exit_code=Exit.INTERNAL)
            else:
                answer = Err(
                    id=command.id,
                    text=known.text,
                    remedy=known.remedy,
                    exit_code=int(known.exit_code),
                )
        self._write(answer)
        await self._writer.drain()

    async def _tell(self, since: int | None) -> None:
        unlisten = self._board.listen(self._enqueue)
        try:
            missed = None if since is None else self._board.since(since)
            if missed is None:
                self._behind = True
            else:
                self._queue.extend(missed)
            self._wake.set()
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._write_queued()
                await self._writer.drain()
        except ConnectionError:
            self._reader.feed_eof()
        finally:
            unlisten()

    def _enqueue(self, event: Event) -> None:
        if self._behind:
            return
        if len(self._queue) >= MAX_QUEUED_EVENTS:
            self._behind = True
            self._queue.clear()
        else:
            self._queue.append(event)
        self._wake.set()

    def _write_queued(self) -> None:
        if self._behind:
            self._behind = False
            self._queue.clear()
            self._write(Snapshot(status=self._board.status))
        for event in self._queue:
            self._write(Happened(event=event))
        self._queue.clear()

    def _write(self, message: messages.FromNode) -> None:
        self._writer.write(messages.encode(message))


async def _carry_out(command: Command, controls: NodeControls) -> Ack:
    match command.name:
        case "status":
            return Ack(id=command.id, status=await controls.status())
        case "check":
            return Ack(id=command.id, check=await controls.check())
        case "ledger":
            return Ack(id=command.id, ledger=await controls.ledger(command.limit))
        case "log":
            return Ack(id=command.id, log=await controls.log(command.limit))
        case "history":
            return Ack(id=command.id, history=await controls.history(command.limit))
        case "words":
            return Ack(id=command.id, words=await controls.words())
        case "discover" | "probe" | "read_invite" | "setup" | "join" | "join_at":
            return await _bring_in(command, controls)
        case "limit" | "acknowledge" | "retry" | "pause" | "resume" | "stop_sharing":
            await _steer(command, controls)
        case _:
            await _change(command, controls)
    return Ack(id=command.id)


async def _bring_in(command: Command, controls: NodeControls) -> Ack:
    match command.name:
        case "discover":
            return Ack(id=command.id, found=await controls.discover())
        case "probe":
            return Ack(id=command.id, probed=await controls.probe(command.text))
        case "read_invite":
            return Ack(id=command.id, invite=await controls.read_invite(command.text))
        case "setup":
            await controls.setup(command.choice or Setup())
        case "join_at":
            await controls.join_at(command.text, command.other)
        case _:
            await controls.join(command.text)
    return Ack(id=command.id)


async def _steer(command: Command, controls: NodeControls) -> None:
    match command.name:
        case "limit":
            if command.limits is not None:
                await controls.limit(command.limits)
        case "acknowledge":
            await controls.acknowledge(command.number)
        case "retry":
            await controls.retry()
        case "pause":
            await controls.pause(command.until)
        case "resume":
            await controls.resume()
        case _:
            await controls.stop_sharing()


async def _change(command: Command, controls: NodeControls) -> None:
    match command.name:
        case "consent":
            await controls.consent(command.text)
        case "withdraw":
            await controls.withdraw()
        case "rotate_key":
            await controls.rotate_key()
        case "leave":
            await controls.leave(after_round=command.after_round, forget=command.forget)
        case _:
            await controls.stop()
