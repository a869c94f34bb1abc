"""Announcing this coordinator on its network (mDNS), for as long as it serves: `serve --announce`.

What is said is the federation's name, the port, and half of the fingerprint as a hint
(fedtui/wire/announcement.py); whoever is on the network can read it, and can say the same. On
stopping a goodbye is said. Addresses are looked at now and then, for a machine that moves.

That announcing does not work never stops the coordinator: it says so in its log, and tries again.
"""

import asyncio
from collections.abc import Callable

import structlog
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from fedtui.link import multicast
from fedtui.link.interfaces import Interface, interfaces, reached_through
from fedtui.wire import announcement

log = structlog.get_logger(__name__)

TTL_S = 120
LOOK_AGAIN_S = 30.0
MAX_ADDRESSES = 8


class Announcer:
    """Announces one coordinator between `start` and `stop`."""

    def __init__(
        self,
        identity_id: bytes,
        federation: str,
        *,
        host: str,
        port: int,
        look: Callable[[], tuple[Interface, ...]] = interfaces,
    ) -> None:
        """Take who and where: `host` and `port` as the server listens on them."""
        self.announced = asyncio.Event()
        self.addresses: tuple[str, ...] = ()
        self.name = announcement.instance(identity_id, federation)
        self._properties = announcement.properties(identity_id, federation)
        self._server = f"fedtui-{self._properties['id'].lower()}.local."
        self._host = host
        self._port = port
        self._look = look
        self._zeroconf: AsyncZeroconf | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; it takes two seconds until everybody has heard (`announced`)."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Say goodbye and close the sockets."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._close()

    async def _run(self) -> None:
        said = ""
        while True:
            used, addresses = await asyncio.to_thread(self._where)
            if addresses != self.addresses or self._zeroconf is None:
                await self._close()
                why = await self._announce(used, addresses)
                if why and why != said:
                    log.warning("not announced on the network", reason=why)
                said = why
            await asyncio.sleep(LOOK_AGAIN_S)

    def _where(self) -> tuple[tuple[Interface, ...], tuple[str, ...]]:
        used, addresses = reached_through(self._host, self._look())
        return used, addresses[:MAX_ADDRESSES]

    async def _announce(self, used: tuple[Interface, ...], addresses: tuple[str, ...]) -> str:
        """Say it on these interfaces; return why that did not work, or nothing."""
        if not addresses:
            return "no interface of this machine has an address that nodes could dial"
        info = AsyncServiceInfo(
            announcement.SERVICE,
            self.name,
            port=self._port,
            properties=self._properties,
            server=self._server,
            host_ttl=TTL_S,
            other_ttl=TTL_S,
            parsed_addresses=list(addresses),
        )
        try:
            self._zeroconf = multicast.open_on(used)
            said = await self._zeroconf.async_register_service(info, allow_name_change=True)
            await said
        except multicast.ERRORS as error:
            await self._close()
            return str(error) or type(error).__name__
        self.addresses = addresses
        self.announced.set()
        log.info("announced on the network", num_addresses=len(addresses), port=self._port)
        return ""

    async def _close(self) -> None:
        """Withdraw what was announced, if anything was."""
        closing, self._zeroconf = self._zeroconf, None
        self.addresses = ()
        self.announced.clear()
        if closing is not None:
            await multicast.close(closing)
