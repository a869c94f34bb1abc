"""Opening and closing mDNS sockets (zeroconf) on chosen interfaces, for both programs."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
from typing import TYPE_CHECKING

import zeroconf
from zeroconf.asyncio import AsyncZeroconf

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fedtui.link.interfaces import Interface

ERRORS = (OSError, RuntimeError, zeroconf.Error)
"""What zeroconf raises where a machine, or somebody on its network, does not play along."""

logging.getLogger("zeroconf").disabled = True  # it quotes what strangers sent


def open_on(used: Iterable[Interface]) -> AsyncZeroconf:
    """Listen and speak on these interfaces. Raises one of ERRORS."""
    return AsyncZeroconf(interfaces=names_of(used))


async def close(opened: AsyncZeroconf) -> None:
    """Say goodbye for what was announced here, and close the sockets."""
    with contextlib.suppress(*ERRORS):
        await opened.async_close()


def names_of(used: Iterable[Interface]) -> list[str | int]:
    """What zeroconf calls these: an IPv4 address, and an index for IPv6 (not on loopback)."""
    found: list[str | int] = []
    for interface in used:
        v4 = [a for a in interface.addresses if ":" not in a]
        found += v4[:1]
        is_loopback = any(ipaddress.ip_address(a).is_loopback for a in interface.addresses)
        if interface.has_v6 and not is_loopback:
            found.append(interface.index)
    return found
