"""The admin socket from both ends."""

import asyncio
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from coordinator import admin as admin_module
from coordinator import adminclient
from coordinator.admin import AdminServer
from coordinator.adminclient import RefusedError
from coordinator.answers import Done
from coordinator.asks import MAX_LINE_BYTES, AnyAsk, AskPause, AskResume, AskStop
from coordinator.files import StoreUnavailable
from coordinator.layout import Layout, socket_path
from coordinator.refusals import BadRequestError, NotRunningError


class Desk:
    def __init__(self, folder: Path) -> None:
        self.layout = Layout(folder)
        self.asked: list[AnyAsk] = []
        self.server = AdminServer(self.layout, self.answer, self.follow)

    async def answer(self, ask: AnyAsk) -> object:
        self.asked.append(ask)
        match ask:
            case AskPause():
                raise BadRequestError("not now")
            case AskResume():
                raise StoreUnavailable("disk full")
            case AskStop(end=True):
                raise KeyError("a bug")
            case _:
                return Done(text="done")

    async def follow(self) -> AsyncIterator[object]:
        for number in range(3):
            yield {"event": number}


async def ask(desk: Desk, command: AnyAsk) -> Done:
    return await asyncio.to_thread(adminclient.ask, desk.layout, command, Done)


async def test_a_command_is_answered_and_refusals_carry_their_status(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.server.start()
    try:
        assert await ask(desk, AskStop()) == Done(text="done")
        assert desk.asked == [AskStop()]
        for command, text, status in (
            (AskPause(), "not now", 2),
            (AskResume(), "disk full", 75),
            (AskStop(end=True), "its log says why", 70),
        ):
            with pytest.raises(RefusedError, match=text) as caught:
                await ask(desk, command)
            assert caught.value.status == status
    finally:
        await desk.server.stop()
    with pytest.raises(NotRunningError, match="start it with 'fedtui-coordinator serve"):
        await ask(desk, AskStop())


async def test_the_socket_is_for_its_owner_only_and_goes_away(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    socket_path(desk.layout).touch()  # left behind by a crash
    await desk.server.start()
    mode = socket_path(desk.layout).stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    await desk.server.stop()
    assert not socket_path(desk.layout).exists()


async def test_follow_streams_lines_until_the_end(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.server.start()
    lines = await asyncio.to_thread(lambda: list(adminclient.follow(desk.layout)))
    assert [msgspec.json.decode(line) for line in lines] == [{"event": n} for n in range(3)]
    await desk.server.stop()


@pytest.mark.parametrize(
    "line",
    [
        b"not json\n",
        b'{"type":"AskBogus"}\n',
        b'{"type":"AskInvite","uses":0}\n',
        b'{"type":"AskStop","extra":1}\n',
        b"\xff\xfe\n",
        b"[" * 3000 + b"\n",
        b"x" * (MAX_LINE_BYTES + 10) + b"\n",
    ],
    ids=["words", "unknown", "bounds", "extra", "bytes", "deep", "long"],
)
async def test_nonsense_is_refused_and_the_server_lives(tmp_path: Path, line: bytes) -> None:
    desk = Desk(tmp_path)
    await desk.server.start()
    reader, writer = await asyncio.open_unix_connection(str(socket_path(desk.layout)))
    writer.write(line)
    answer = msgspec.json.decode(await reader.readline())
    assert (answer["ok"], answer["exit"]) == (False, 2)
    assert await reader.read() == b""
    writer.close()
    assert await ask(desk, AskStop()) == Done(text="done")
    assert len(desk.asked) == 1
    await desk.server.stop()


async def test_other_users_are_not_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(socket, "SO_PEERCRED"):
        pytest.skip("only Linux tells who connects")
    desk = Desk(tmp_path)
    await desk.server.start()
    monkeypatch.setattr(admin_module.os, "getuid", lambda: 4242)
    monkeypatch.setattr(
        admin_module, "_PEER", type("P", (), {"size": 12, "unpack": lambda _, d: (1, 77, 1)})()
    )
    with pytest.raises(NotRunningError, match="before it answered"):
        await ask(desk, AskStop())
    assert desk.asked == []
    await desk.server.stop()


async def test_a_directory_too_deep_for_a_socket_uses_the_runtime_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    desk = Desk(deep)
    await desk.server.start()
    assert (deep / "admin.path").read_text().startswith(str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR")  # the command's environment may be another
    assert await ask(desk, AskStop()) == Done(text="done")
    await desk.server.stop()
    assert not (deep / "admin.path").exists()
