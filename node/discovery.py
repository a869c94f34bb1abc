"""Finding coordinators that announce themselves on this network (mDNS).

    sweep: open sockets -> ask -> answers -> sightings;  every SWEEP_S a new one, then the old ends

A sweep begins with nothing remembered, so that what is there answers again and what is gone ages
out of the table, and so that a flood of false services is forgotten. A full answer is taken in at
once; a service that said only its name is asked for the rest, few at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections import deque
from typing import TYPE_CHECKING

from zeroconf import IPVersion, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo

from fedtui.link import multicast
from fedtui.link.interfaces import Interface, interfaces, nearest_first
from fedtui.wire import announcement
from node.sightings import Sighting, Sightings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from fedtui.status import FoundCoordinator
    from node.pins import Pin

SWEEP_S = 20.0
MAX_ASKING = 8
MAX_WAITING = 256
ANSWER_WITHIN_MS = 3000
MAX_ADDRESSES = 8


class Finder:
    """Listens while `run()` runs. `look` gives the interfaces, `pinned` what to compare with."""

    def __init__(
        self,
        pinned: Callable[[], Iterable[Pin]],
        *,
        look: Callable[[], tuple[Interface, ...]] = interfaces,
    ) -> None:
        self.problem = ""
        self.changed = asyncio.Event()
        self._pinned = pinned
        self._look = look
        self._used: tuple[Interface, ...] = ()
        self._table = Sightings()

    @property
    def num_left_out(self) -> int:
        """Announcements that there was no room for."""
        return self._table.num_left_out

    def found(self) -> tuple[FoundCoordinator, ...]:
        """What is there now, known ones first."""
        return self._table.found(asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Sweep after sweep until cancelled. What goes wrong is in `problem`, and tried again."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._table.use_pins(await asyncio.to_thread(self._pinned))
                self._used = await asyncio.to_thread(self._look)
                group.create_task(self._sweep())
                await asyncio.sleep(SWEEP_S)

    async def _sweep(self) -> None:
        """One; it stays a second into the next, so that no goodbye falls between the two."""
        try:
            async with asyncio.timeout(SWEEP_S + 1.0), _Sweep(self._used, self).listening():
                self.problem = ""
                await asyncio.Event().wait()
        except TimeoutError:
            pass
        except multicast.ERRORS as error:
            self.problem = str(error) or type(error).__name__

    def take(self, info: AsyncServiceInfo) -> None:
        """A service said all there is to say."""
        said = announcement.read(info.properties)
        addresses = self._addresses(info)
        if said is not None and addresses:
            now = asyncio.get_running_loop().time()
            self._table.saw(Sighting(info.name, addresses, said), now)
            self.changed.set()

    def drop(self, service: str) -> None:
        """It is gone, or somebody says so."""
        self._table.gone(service)
        self.changed.set()

    def _addresses(self, info: AsyncServiceInfo) -> tuple[str, ...]:
        hosts = [str(ip) for ip in info.ip_addresses_by_version(IPVersion.All) if _is_dialled(ip)]
        if not all(ipaddress.ip_address(host).is_loopback for host in hosts):
            hosts = [host for host in hosts if not ipaddress.ip_address(host).is_loopback]
        if not info.port:
            return ()
        near = nearest_first(hosts, self._used)[:MAX_ADDRESSES]
        return tuple(f"[{h}]:{info.port}" if ":" in h else f"{h}:{info.port}" for h in near)


class _Sweep:
    """One set of sockets, with what is under way on it."""

    def __init__(self, used: Iterable[Interface], finder: Finder) -> None:
        self._used = used
        self._finder = finder
        self._waiting: deque[str] = deque()
        self._more = asyncio.Event()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        opened = multicast.open_on(self._used)
        try:
            await opened.zeroconf.async_wait_for_start()
            browser = AsyncServiceBrowser(
                opened.zeroconf, announcement.SERVICE, handlers=[self._heard]
            )
            async with asyncio.TaskGroup() as group:
                asking = [group.create_task(self._ask(opened.zeroconf)) for _ in range(MAX_ASKING)]
                try:
                    yield
                finally:
                    for task in asking:
                        task.cancel()
                    await browser.async_cancel()
        finally:
            await multicast.close(opened)

    def _heard(
        self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        if state_change is ServiceStateChange.Removed:
            self._finder.drop(name)
            return
        with contextlib.suppress(*multicast.ERRORS):  # such as for a name that none may have
            info = AsyncServiceInfo(service_type, name)
            if info.load_from_cache(zeroconf):
                self._finder.take(info)
            elif len(self._waiting) < MAX_WAITING:
                self._waiting.append(name)
                self._more.set()

    async def _ask(self, zeroconf: Zeroconf) -> None:
        while True:
            while self._waiting:
                with contextlib.suppress(*multicast.ERRORS):
                    info = AsyncServiceInfo(announcement.SERVICE, self._waiting.popleft())
                    if await info.async_request(zeroconf, ANSWER_WITHIN_MS):
                        self._finder.take(info)
            self._more.clear()
            await self._more.wait()


def _is_dialled(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether this can be a machine's address that needs no interface named beside it."""
    return not (ip.is_multicast or ip.is_unspecified or ip.is_link_local or ip.is_reserved)
