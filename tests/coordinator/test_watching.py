"""The watch when the coordinator goes, comes back, or hangs; see tests/contracts for the rest."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from a_coordinator import ThinNode, invite, make, serving

from coordinator import watching as watching_module
from coordinator.clock import wall_s
from coordinator.layout import Layout, socket_path
from coordinator.watching import Watching
from fedtui.status import Refused
from fedtui.status.coordinator import BoardSeen, ConnectionLost, Happened, Seen


async def next_of(found: object, kind: type[Seen]) -> Seen:
    async for seen in found:  # type: ignore[attr-defined]
        if isinstance(seen, kind):
            return seen
    raise AssertionError("the watch ended")


@asynccontextmanager
async def answering(layout: Layout, answer: bytes) -> AsyncIterator[None]:
    """Somebody on the socket who says this to everything, and hangs if it is nothing."""
    tasks: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        await reader.readline()
        writer.write(answer)
        await reader.read()
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    server = await asyncio.start_unix_server(serve, socket_path(layout))
    yield
    server.close()
    await asyncio.gather(*tasks)
    socket_path(layout).unlink()


async def test_it_says_once_that_the_coordinator_is_gone_and_comes_back(tmp_path: Path) -> None:
    layout = make(tmp_path / "f")
    async with aclosing(Watching(layout, clock=lambda: 7.0).watch()) as found:
        async with serving(layout):
            first = await next_of(found, BoardSeen)
        lost = await next_of(found, ConnectionLost)
        assert lost.at == 7.0
        waiting = asyncio.ensure_future(anext(found))
        await asyncio.sleep(3 * watching_module.BACK_OFF_S)
        assert not waiting.done(), "nothing new: it is still gone"
        async with serving(layout):
            again = await waiting
            assert isinstance(again, BoardSeen)
            assert again.board.incarnation == first.board.incarnation + 1


async def test_without_a_coordinator_it_says_so_and_waits(tmp_path: Path) -> None:
    layout = make(tmp_path / "f")
    watching = Watching(layout, clock=wall_s)
    async with aclosing(watching.watch()) as found:
        lost = await anext(found)
        assert isinstance(lost, ConnectionLost)
        assert lost.text.startswith("no coordinator runs in ")
    with pytest.raises(Refused, match="no coordinator runs in") as caught:
        await watching.pause()
    assert caught.value.exit_code == 6


async def test_what_happens_is_told_as_sentences(tmp_path: Path) -> None:
    layout, node = make(tmp_path / "f"), ThinNode(1)
    async with (
        serving(layout) as service,
        aclosing(Watching(layout, clock=wall_s).watch()) as found,
    ):
        await next_of(found, BoardSeen)
        await node.start(service, await invite(service))
        said = []
        while "n1 is here (participant)" not in said:
            said.append((await next_of(found, Happened)).text)
        await node.stop()


async def test_a_coordinator_that_hangs_counts_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching_module, "PATIENCE_S", 0.2)
    layout = make(tmp_path / "f")
    async with answering(layout, b""):
        async with aclosing(Watching(layout, clock=wall_s).watch()) as found:
            lost = await anext(found)
        assert isinstance(lost, ConnectionLost)
        assert "does not answer" in lost.text
        with pytest.raises(Refused, match="does not answer"):
            await Watching(layout, clock=wall_s).pause()


async def test_what_cannot_be_read_is_a_lost_connection(tmp_path: Path) -> None:
    layout = make(tmp_path / "f")
    async with (
        answering(layout, b"not json\n"),
        aclosing(Watching(layout, clock=wall_s).watch()) as found,
    ):
        lost = await anext(found)
        assert isinstance(lost, ConnectionLost)
        assert lost.text.startswith("it speaks another version")
    with pytest.raises(Refused, match="no coordinator runs"):
        await Watching(layout, clock=wall_s).pause()
