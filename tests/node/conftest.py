"""Makes what lies here importable, and gives each test a profile of its own."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from fake_node import FakeNode

from node.control import ControlServer
from node.paths import Profile, profile


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """An empty profile named `p` below a home that no other test has."""
    monkeypatch.setenv("FEDTUI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FEDTUI_PASSPHRASE_FILE", raising=False)
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    found = profile("p")
    found.create()
    return found


@pytest.fixture
def running(home: Profile) -> Iterator[FakeNode]:
    """A fake node behind the profile's control socket, in a thread with its own event loop."""
    node = FakeNode()
    ready, over = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        server = ControlServer(home.socket(), controls=node, board=node.board)
        await server.start()
        ready.set()
        await over.wait()
        await server.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait()
    yield node
    loops[0].call_soon_threadsafe(over.set)
    thread.join()
