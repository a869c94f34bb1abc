"""Finding: what is announced is found, what says goodbye is gone, floods change nothing."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from zeroconf import ServiceStateChange
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from fedtui.crypto.keys import Identity
from fedtui.link.interfaces import Interface
from fedtui.wire.announcement import SERVICE, hint_of, instance, properties
from node import discovery
from node.discovery import Finder, _Sweep
from node.pins import Pin
from node.sightings import MAX_SIGHTINGS

IDENTITY = Identity.from_seed(os.urandom(32))  # the machine may run these tests twice at once
LO = Interface("lo", 1, ("127.0.0.1",), has_v6=False)
HOSTILE = "[@click=app.quit]\x1b]52;c;YQ==\x07" + "c" + "\u0301" * 40


def service(
    who: Identity = IDENTITY,
    federation: str = "ward 7",
    *,
    addresses: tuple[str, ...] = ("127.0.0.1",),
    port: int = 8443,
    name: str = "",
) -> AsyncServiceInfo:
    return AsyncServiceInfo(
        SERVICE,
        name or instance(who.id, federation),
        port=port,
        properties=properties(who.id, federation),
        server=f"fedtui-{hint_of(who.id).lower()}.local.",
        parsed_addresses=list(addresses),
    )


@asynccontextmanager
async def announced(info: AsyncServiceInfo) -> AsyncIterator[None]:
    opened = AsyncZeroconf(interfaces=["127.0.0.1"])
    try:
        await (await opened.async_register_service(info))
        yield
    finally:
        await opened.async_close()


@asynccontextmanager
async def finding(*pins: Pin) -> AsyncIterator[Finder]:
    finder = Finder(lambda: pins, look=lambda: (LO,))
    task = asyncio.create_task(finder.run())
    try:
        yield finder
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(finder: Finder, hint: str, *, there: bool) -> None:
    """Wait for a change that brings, or takes away, who claims this id."""
    while (hint in {one.id_hint for one in finder.found()}) is not there:
        finder.changed.clear()
        await finder.changed.wait()


async def test_D1_what_is_announced_is_found_and_gone_after_its_goodbye() -> None:
    hint = hint_of(IDENTITY.id)
    async with finding(Pin(IDENTITY.id, "ward 7", 5.0)) as finder:
        async with announced(service()):
            await until(finder, hint, there=True)
            (one,) = [one for one in finder.found() if one.id_hint == hint]
            assert (one.name, one.federation) == ("ward 7", "ward 7")
            assert (one.address, one.standing) == ("127.0.0.1:8443", "known")
            assert one.known_since == 5.0
        await until(finder, hint, there=False)


async def test_D1_it_is_still_there_after_many_sweeps_and_its_goodbye_is_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(discovery, "SWEEP_S", 0.5)
    hint, sweeps = hint_of(IDENTITY.id), []
    async with finding() as finder:
        monkeypatch.setattr(finder, "_pinned", lambda: sweeps.append(1) or ())
        async with announced(service()):
            await until(finder, hint, there=True)
            while len(sweeps) < 4:
                finder.changed.clear()
                await finder.changed.wait()
                assert hint in {one.id_hint for one in finder.found()}
        await until(finder, hint, there=False)


def found_after(*services: AsyncServiceInfo) -> list[tuple[str, str]]:
    async def run() -> list[tuple[str, str]]:
        finder = Finder(lambda: ())
        for info in services:
            finder.take(info)
        return [(one.name, one.address) for one in finder.found()]

    return asyncio.run(run())


def test_addresses_that_cannot_be_dialled_are_left_out() -> None:
    odd = ("127.0.0.1", "224.0.0.251", "0.0.0.0", "169.254.3.4", "fe80::1", "fd00::7", "10.1.2.3")  # noqa: S104
    assert found_after(service(addresses=odd)) == [("ward 7", "10.1.2.3:8443")]
    assert found_after(service(addresses=("fd00::7",))) == [("ward 7", "[fd00::7]:8443")]
    assert found_after(service(addresses=("127.0.0.1",))) == [("ward 7", "127.0.0.1:8443")]
    assert found_after(service(addresses=("224.0.0.251", "fe80::1"))) == []
    assert found_after(service(port=0)) == []


def test_D3_a_hostile_name_is_shown_as_plain_text() -> None:
    bidi = "[@click=app.quit]now[/]\u202egnihtyna"
    info = service(federation="x", name=f"{bidi}.{SERVICE}")
    info._set_properties({"v": "1", "id": "evil", "fed": HOSTILE})
    assert found_after(info) == [("[@click=app.quit]now[/]gnihtyna", "127.0.0.1:8443")]


async def test_D3_a_name_that_no_service_may_have_is_left_out() -> None:
    async with finding() as finder, announced(service()):
        await until(finder, hint_of(IDENTITY.id), there=True)
        sweep = _Sweep((), finder)
        opened = AsyncZeroconf(interfaces=["127.0.0.1"])
        for name in (f"\x1b[2J.{SERVICE}", f"{'x' * 300}.{SERVICE}", "other._http._tcp.local."):
            sweep._heard(opened.zeroconf, SERVICE, name, ServiceStateChange.Added)
        await opened.async_close()
        assert len(sweep._waiting) == 0


def test_what_is_not_fedtui_is_left_out() -> None:
    info = service()
    info._set_properties({"v": "9"})
    assert found_after(info) == []


def test_D2_thousands_of_false_services_leave_a_short_list() -> None:
    flood = [
        service(name=f"{n}.{SERVICE}", addresses=(f"10.{n % 250}.{n // 250}.1",))
        for n in range(2000)
    ]
    assert len(found_after(*flood)) == MAX_SIGHTINGS


async def test_a_network_that_does_not_play_along_is_said_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = asyncio.Semaphore(0)

    def refuse(used: object) -> AsyncZeroconf:
        tries.release()
        raise OSError("no multicast here")

    monkeypatch.setattr(discovery, "SWEEP_S", 0.001)
    monkeypatch.setattr(discovery.multicast, "open_on", refuse)
    async with finding() as finder:
        for _ in range(3):
            await tries.acquire()
        assert finder.problem == "no multicast here"
        assert finder.found() == ()
