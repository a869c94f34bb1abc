"""The daemon's lookout: listens while it is asked, and not longer."""

import asyncio
from pathlib import Path

import pytest

from fedtui.status import FoundCoordinator
from node import discovery, lookout
from node.lookout import Lookout

ONE = FoundCoordinator(name="a", address="10.0.0.1:1", federation="a")


class FakeFinder:
    running = 0

    def __init__(self, pinned: object) -> None:
        self.pinned = pinned

    def found(self) -> tuple[FoundCoordinator, ...]:
        return (ONE,)

    async def run(self) -> None:
        FakeFinder.running += 1
        try:
            await asyncio.Event().wait()
        finally:
            FakeFinder.running -= 1


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "Finder", FakeFinder)
    monkeypatch.setattr(lookout, "FIRST_S", 0.01)


async def test_asked_twice_it_listens_once_until_it_is_closed(tmp_path: Path) -> None:
    looking = Lookout(tmp_path)
    assert await looking.found() == (ONE,)
    assert await looking.found() == (ONE,)
    assert FakeFinder.running == 1
    await looking.close()
    assert FakeFinder.running == 0
    await looking.close()


async def test_when_nobody_asks_any_more_it_stops_and_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "IDLE_S", 0.02)
    looking = Lookout(tmp_path)
    await looking.found()
    task = looking._task
    assert task is not None
    await asyncio.wait({task})
    assert FakeFinder.running == 0
    assert await looking.found() == (ONE,)
    await looking.close()
