"""Deadlines, caps and rates before anyone is authenticated (L1, L2).

aiohttp has no deadline before the first request: an idle connection, half a header, a header byte
now and then, or an upgraded websocket that says nothing stay open for good. Here every accepted
connection has `handshake_s` until the node has proven its identity, counts against a cap in all
and per address until it is admitted, and costs a token of its address. An IPv6 address counts as
its /64, which is what one subscriber has.

What is refused here is refused before a byte of it is read, and without a word.
"""

import asyncio
import ipaddress
from collections import Counter
from dataclasses import dataclass

from aiohttp.web import Server
from aiohttp.web_protocol import RequestHandler

MAX_ADDRESSES = 4096
KEEPALIVE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSettings:
    """What strangers may do. Raise the figures per address where many nodes share one (NAT)."""

    handshake_s: float = 5.0
    max_waiting: int = 256
    max_waiting_per_address: int = 16
    handshakes_per_s: float = 50.0
    handshake_burst: int = 200
    failed_enrolments_per_minute: float = 5.0


class Buckets:
    """A token bucket for each address; at most MAX_ADDRESSES of them are remembered."""

    def __init__(self, rate: float, burst: float) -> None:
        """Refill `rate` tokens a second, up to `burst`."""
        self._rate = rate
        self._burst = burst
        self._levels: dict[str, tuple[float, float]] = {}

    def level(self, key: str, now: float) -> float:
        """Tokens that `key` has left."""
        tokens, then = self._levels.get(key, (self._burst, now))
        return min(self._burst, tokens + (now - then) * self._rate)

    def take(self, key: str, now: float) -> bool:
        """Take a token of `key`; False, and nothing taken, if there is none."""
        tokens = self.level(key, now)
        if tokens < 1.0:
            return False
        self._levels.pop(key, None)  # to the end of the dict: the first is the oldest
        if len(self._levels) >= MAX_ADDRESSES:
            self._levels.pop(next(iter(self._levels)))
        self._levels[key] = (tokens - 1.0, now)
        return True

    def wait_s(self, key: str, now: float) -> float:
        """Seconds until `key` has a token."""
        return max(0.0, (1.0 - self.level(key, now)) / self._rate)


class Guard:
    """Counts who is connected but not yet admitted."""

    def __init__(self, settings: GuardSettings) -> None:
        """Start with nobody."""
        self.settings = settings
        self.num_refused = 0
        self._waiting: Counter[str] = Counter()
        self._handshakes = Buckets(settings.handshakes_per_s, settings.handshake_burst)
        per_minute = settings.failed_enrolments_per_minute
        self._failures = Buckets(per_minute / 60.0, per_minute)

    @property
    def num_waiting(self) -> int:
        """Connections that are not admitted yet."""
        return self._waiting.total()

    def enter(self, address: str, now: float) -> bool:
        """Count a new connection; False if it must be dropped (and then it is not counted)."""
        if (
            self.num_waiting >= self.settings.max_waiting
            or self._waiting[address] >= self.settings.max_waiting_per_address
            or not self._handshakes.take(address, now)
        ):
            self.num_refused += 1
            return False
        self._waiting[address] += 1
        return True

    def leave(self, address: str) -> None:
        """The connection is gone or admitted: it counts no longer."""
        self._waiting[address] -= 1
        if self._waiting[address] <= 0:
            del self._waiting[address]

    def enrolment_wait_s(self, address: str, now: float) -> float:
        """Seconds until the address may try an invite again; 0 if it may now."""
        return self._failures.wait_s(address, now)

    def enrolment_failed(self, address: str, now: float) -> None:
        """An invite from this address was not accepted."""
        self._failures.take(address, now)


class GuardedHandler(RequestHandler):
    """aiohttp's handler of one connection, with a deadline until `identified()` and a count."""

    __slots__ = ("_address", "_counted", "_deadline", "_guard")

    def __init__(self, guard: Guard, manager: Server) -> None:
        """Serve one connection that `guard` watches."""
        super().__init__(
            manager,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # aiohttp: "if access_log", so None is off
            keepalive_timeout=KEEPALIVE_S,
            max_headers=32,
            lingering_time=0.0,
        )
        self._guard = guard
        self._address = ""
        self._counted = False
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def address(self) -> str:
        """What caps and rates of this connection are counted under."""
        return self._address

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse the connection, or count it and start its deadline."""
        loop = asyncio.get_running_loop()
        self._address = address_of(transport)
        if not isinstance(transport, asyncio.Transport):
            return
        if not self._guard.enter(self._address, loop.time()):
            transport.abort()
            return
        self._counted = True
        self._deadline = loop.call_later(self._guard.settings.handshake_s, transport.abort)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        self.identified()
        self.admitted()
        super().connection_lost(exc)

    def identified(self) -> None:
        """The identity is proven: no deadline any more. The count stays until `admitted()`."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def admitted(self) -> None:
        """The node is one of ours: it counts no longer among strangers."""
        if self._counted:
            self._counted = False
            self._guard.leave(self._address)


def address_of(transport: asyncio.BaseTransport) -> str:
    """Return the remote address: IPv4 as it is, IPv6 as its /64, or "" if there is none."""
    peername = transport.get_extra_info("peername")
    if not peername:
        return ""
    try:
        address = ipaddress.ip_address(str(peername[0]).partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
