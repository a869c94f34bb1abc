"""The client where the node is not what it should be: away, restarted, newer, hostile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fedtui.control import client as client_module
from fedtui.control import messages
from fedtui.control.client import ControlClient, NotRunningError
from fedtui.control.messages import Ack, Attach, Command, Happened, Hello, Snapshot
from fedtui.status import NodeStatus, Refused, StateChanged

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(socket: Path, script: Script) -> AsyncIterator[None]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_unix_server(serve, socket)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


def hello(started_at: float = 1.0, proto: int = messages.PROTO) -> bytes:
    return messages.encode(
        Hello(proto=proto, node="alder", version="9", pid=4, started_at=started_at)
    )


async def test_nobody_there_is_said_with_exit_code_6(tmp_path: Path) -> None:
    with pytest.raises(NotRunningError) as refusal:
        await ControlClient(tmp_path / "none").status()
    assert refusal.value.exit_code == 6
    assert "fedtui join" in refusal.value.remedy
    with pytest.raises(NotRunningError):
        await anext(ControlClient(tmp_path / "none").watch())


@pytest.mark.parametrize(
    "line",
    [b"", b"what?\n", b'{"type":"ack","id":1}\n', b"x" * 2**21],
    ids=["nothing", "words", "answer", "endless"],
)
async def test_something_else_on_the_socket_is_not_a_node(tmp_path: Path, line: bytes) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(line)

    async with serving(tmp_path / "s", script):
        with pytest.raises(NotRunningError):
            await ControlClient(tmp_path / "s").status()


async def test_a_silent_node_is_given_up(tmp_path: Path) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(tmp_path / "s", script):
        with pytest.raises(NotRunningError):
            await ControlClient(tmp_path / "s", patience_s=0.05).status()


async def test_another_protocol_may_be_looked_at_but_not_commanded(tmp_path: Path) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(hello(proto=99))
        await reader.readline()
        if await reader.readline():
            writer.write(messages.encode(Ack(id=1, status=NodeStatus(label="new"))))

    async with serving(tmp_path / "s", script):
        client = ControlClient(tmp_path / "s")
        assert (await client.status()).label == "new"
        with pytest.raises(Refused) as refusal:
            await client.pause()
        assert refusal.value.exit_code == 10


async def test_a_watch_comes_back_with_its_cursor_and_starts_over_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_BACK_OFF_S", 0.0)
    since: list[int | None] = []
    lives = iter([(1.0, 3), (1.0, 4), (2.0, 1)])

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        started_at, seq = next(lives)
        writer.write(hello(started_at))
        attach = messages.decode_from_screen(await reader.readline())
        assert isinstance(attach, Attach)
        since.append(attach.since)
        if attach.since is None:
            seen = NodeStatus(seq=seq, started_at=started_at, sentence=f"life {started_at}")
            writer.write(messages.encode(Snapshot(status=seen)))
        else:
            event = StateChanged(seq=seq, state="paused", sentence="caught up")
            writer.write(messages.encode(Happened(event=event)))
        await writer.drain()

    seen: list[str] = []
    async with serving(tmp_path / "s", script):
        async with asyncio.timeout(10):
            watching = ControlClient(tmp_path / "s").watch()
            async for status in watching:
                seen.append(status.sentence)
                if len(seen) == 3:
                    break
            await watching.aclose()  # type: ignore[attr-defined]
    assert since == [None, 3, None]
    assert seen == ["life 1.0", "caught up", "life 2.0"]


async def test_an_answer_to_another_command_is_not_ours(tmp_path: Path) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(hello())
        await reader.readline()
        command = messages.decode_from_screen(await reader.readline())
        assert isinstance(command, Command)
        writer.write(messages.encode(Ack(id=command.id + 1, status=NodeStatus(label="wrong"))))
        writer.write(messages.encode(Ack(id=command.id, status=NodeStatus(label="right"))))
        await writer.drain()

    async with serving(tmp_path / "s", script):
        assert (await ControlClient(tmp_path / "s").status()).label == "right"


async def test_a_node_that_dies_before_it_answers_is_not_running(tmp_path: Path) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(hello())
        await reader.readline()
        await reader.readline()

    async with serving(tmp_path / "s", script):
        with pytest.raises(NotRunningError):
            await ControlClient(tmp_path / "s").status()
