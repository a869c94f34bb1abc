"""Announcing: heard on the network while the coordinator serves, and a goodbye when it stops."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import structlog
from a_coordinator import until
from zeroconf import ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from coordinator import discovery
from coordinator.discovery import Announcer
from fedtui.crypto.keys import Identity
from fedtui.link.interfaces import Interface
from fedtui.wire.announcement import SERVICE, hint_of, read

IDENTITY = Identity.from_seed(os.urandom(32))  # the machine may run these tests twice at once
LO = Interface("lo", 1, ("127.0.0.1",), has_v6=False)


def announcer(look: Callable[[], tuple[Interface, ...]] = lambda: (LO,)) -> Announcer:
    return Announcer(IDENTITY.id, "ward 7", host="127.0.0.1", port=8443, look=look)


class Ear:
    """Hears what comes and goes, by name."""

    def __init__(self, opened: AsyncZeroconf) -> None:
        self.changes: asyncio.Queue[tuple[str, ServiceStateChange]] = asyncio.Queue()
        self.opened = opened
        self.browser = AsyncServiceBrowser(opened.zeroconf, SERVICE, handlers=[self._heard])

    def _heard(
        self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        self.changes.put_nowait((name, state_change))

    async def hear(self, name: str, change: ServiceStateChange) -> None:
        while await self.changes.get() != (name, change):
            pass


@asynccontextmanager
async def listening() -> AsyncIterator[Ear]:
    opened = AsyncZeroconf(interfaces=["127.0.0.1"])
    try:
        yield Ear(opened)
    finally:
        await opened.async_close()


async def test_D1_it_is_heard_while_it_serves_and_says_goodbye() -> None:
    speaking = announcer()
    async with listening() as ear:
        speaking.start()
        await ear.hear(speaking.name, ServiceStateChange.Added)
        info = AsyncServiceInfo(SERVICE, speaking.name)
        assert await info.async_request(ear.opened.zeroconf, 3000)
        found = read(info.properties)
        assert found is not None
        assert (found.hint, found.federation) == (hint_of(IDENTITY.id), "ward 7")
        assert (info.parsed_addresses(), info.port) == (["127.0.0.1"], 8443)
        await speaking.announced.wait()
        await speaking.stop()
        await ear.hear(speaking.name, ServiceStateChange.Removed)
        assert speaking.addresses == ()


async def test_stopped_while_it_begins_it_leaves_nothing_open() -> None:
    speaking = announcer()
    speaking.start()
    await asyncio.sleep(0)
    await speaking.stop()
    assert not speaking.announced.is_set()
    never = announcer()
    await never.stop()


async def test_a_machine_that_moves_is_announced_where_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(discovery, "LOOK_AGAIN_S", 0.01)
    here: list[tuple[Interface, ...]] = [()]
    speaking = announcer(lambda: here[0])
    with structlog.testing.capture_logs() as logs:
        speaking.start()
        await until(lambda: bool(logs))
        assert not speaking.announced.is_set()
        here[0] = (LO,)
        await speaking.announced.wait()
        assert speaking.addresses == ("127.0.0.1",)
        await speaking.stop()
    said = [entry["event"] for entry in logs]
    assert said == ["not announced on the network", "announced on the network"]


async def test_a_network_that_does_not_play_along_is_said_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = []

    def refuse(used: object) -> AsyncZeroconf:
        tries.append(used)
        raise OSError("no multicast here")

    monkeypatch.setattr(discovery, "LOOK_AGAIN_S", 0.001)
    monkeypatch.setattr(discovery.multicast, "open_on", refuse)
    speaking = announcer()
    with structlog.testing.capture_logs() as logs:
        speaking.start()
        await until(lambda: len(tries) >= 5)
        await speaking.stop()
    assert [entry["reason"] for entry in logs] == ["no multicast here"]
