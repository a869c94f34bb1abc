"""The control server against screens that are slow, rude, many, or gone."""

import asyncio
import contextlib
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fake_node import FakeNode

from fedtui.control import messages
from fedtui.control.client import ControlClient
from fedtui.control.messages import Ack, Attach, Command, Err, Happened, Hello, Snapshot
from fedtui.status import reduce
from node import control
from node.control import ControlServer

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[FakeNode, Path]]:
    node = FakeNode()
    server = ControlServer(tmp_path / "s", controls=node, board=node.board)
    await server.start()
    yield node, tmp_path / "s"
    await server.close()
    assert not (tmp_path / "s").exists()


async def attach(socket: Path, **fields: object) -> Streams:
    reader, writer = await asyncio.open_unix_connection(socket, limit=2**22)
    assert isinstance(messages.decode_from_node(await reader.readline()), Hello)
    writer.write(messages.encode(Attach(proto=messages.PROTO, **fields)))
    return reader, writer


async def read(reader: asyncio.StreamReader) -> messages.FromNode:
    async with asyncio.timeout(10):
        return messages.decode_from_node(await reader.readline())


async def test_only_this_user_can_connect(served: tuple[FakeNode, Path]) -> None:
    assert stat.S_IMODE(served[1].stat().st_mode) == 0o600


async def test_a_dead_socket_in_the_way_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("left over")
    node = FakeNode()
    server = ControlServer(tmp_path / "s", controls=node, board=node.board)
    await server.start()
    assert (await ControlClient(tmp_path / "s").status()).label == "alder"
    await server.close()


async def test_a_screen_that_comes_back_gets_what_it_missed(served: tuple[FakeNode, Path]) -> None:
    node, socket = served
    node.board.log("info", "one")
    node.board.log("info", "two")
    reader, writer = await attach(socket, watch=True, since=1)
    found = await read(reader)
    assert isinstance(found, Happened)
    assert found.event.seq == 2
    writer.close()


async def test_a_screen_that_was_away_too_long_gets_a_snapshot(
    served: tuple[FakeNode, Path],
) -> None:
    node, socket = served
    for number in range(700):
        node.board.log("info", str(number))
    reader, writer = await attach(socket, watch=True, since=3)
    found = await read(reader)
    assert isinstance(found, Snapshot)
    assert found.status == node.board.status
    writer.close()


async def test_a_slow_screen_costs_bounded_memory_and_ends_up_right(
    served: tuple[FakeNode, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    node, socket = served
    monkeypatch.setattr(control, "MAX_QUEUED_EVENTS", 8)
    reader, writer = await attach(socket, watch=True)
    first = await read(reader)
    assert isinstance(first, Snapshot)
    for number in range(5000):  # nobody reads meanwhile
        node.board.log("info", "x" * 500 + str(number))
        if number % 100 == 0:
            await asyncio.sleep(0)
    state, num_lines, num_snapshots = first.status, 0, 0
    while state != node.board.status:
        message = await read(reader)
        num_lines += 1
        if isinstance(message, Snapshot):
            state = message.status
            num_snapshots += 1
        elif isinstance(message, Happened):
            state = reduce(state, message.event)
    assert num_snapshots
    assert num_lines < 4000, "events that nobody read were not kept"
    writer.close()


@pytest.mark.parametrize(
    "line",
    [b"nonsense\n", b'{"type":"cmd","id":1,"name":"status"}\n', b"x" * 2**21 + b"\n", b""],
    ids=["words", "command first", "endless", "hang up"],
)
async def test_a_rude_screen_is_dropped_and_the_next_one_served(
    served: tuple[FakeNode, Path], line: bytes
) -> None:
    _, socket = served
    reader, writer = await asyncio.open_unix_connection(socket)
    await reader.readline()
    writer.write(line)
    if not line:
        writer.write_eof()
    async with asyncio.timeout(10):
        with contextlib.suppress(ConnectionResetError):  # it did not read to the end
            assert await reader.read() == b""
    writer.close()
    assert (await ControlClient(socket).status()).label == "alder"


async def test_a_screen_that_says_nothing_is_dropped(
    served: tuple[FakeNode, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "ATTACH_WITHIN_S", 0.01)
    reader, writer = await asyncio.open_unix_connection(served[1])
    await reader.readline()
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()


async def test_only_so_many_screens(
    served: tuple[FakeNode, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "MAX_SCREENS", 1)
    _, first = await attach(served[1])
    reader, second = await asyncio.open_unix_connection(served[1])
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    first.close()
    second.close()


async def test_a_bug_in_a_command_is_an_answer_not_an_end(
    served: tuple[FakeNode, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    node, socket = served

    async def broken(limit: int = 0) -> None:
        raise KeyError("oops")

    monkeypatch.setattr(node, "log", broken)
    reader, writer = await attach(socket)
    writer.write(messages.encode(Command(id=1, name="log")))
    answer = await read(reader)
    assert isinstance(answer, Err)
    assert answer.exit_code == 70
    writer.write(messages.encode(Command(id=2, name="status")))
    assert isinstance(await read(reader), Ack)
    writer.close()


async def test_commands_overlap_and_are_answered_by_id(
    served: tuple[FakeNode, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    node, socket = served
    release = asyncio.Event()

    async def slow() -> object:
        await release.wait()
        return node.report

    monkeypatch.setattr(node, "check", slow)
    reader, writer = await attach(socket)
    writer.write(messages.encode(Command(id=1, name="check")))
    writer.write(messages.encode(Command(id=2, name="status")))
    quick = await read(reader)
    assert isinstance(quick, Ack)
    assert quick.id == 2
    release.set()
    late = await read(reader)
    assert isinstance(late, Ack)
    assert late.id == 1
    writer.close()
