"""Which network interfaces discovery uses: named one by one, never "all of them".

Bridges of containers and virtual machines are left out: multicast there reaches nobody who could
join, and answers that come back through them confuse (zeroconf #330).
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ifaddr

if TYPE_CHECKING:
    from collections.abc import Iterable

_VIRTUAL = ("docker", "br-", "veth", "virbr", "cni", "flannel", "cali", "vmnet", "vboxnet")
_EVERY_V4 = "0.0.0.0"  # noqa: S104  compared with, not bound to
_EVERY_V6 = "::"


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface with the addresses that others can dial; link-local ones are left out.

    `has_v6` tells whether IPv6 multicast works on it, for which any IPv6 address will do;
    `networks` are those that it is directly in.
    """

    name: str
    index: int
    addresses: tuple[str, ...]
    has_v6: bool
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()


def interfaces(adapters: Iterable[ifaddr.Adapter] | None = None) -> tuple[Interface, ...]:
    """Those of this machine, loopback too; `adapters` as ifaddr lists them (for tests)."""
    found = []
    for adapter in ifaddr.get_adapters() if adapters is None else adapters:
        if adapter.name.startswith(_VIRTUAL) or adapter.index is None:
            continue
        texts = [ip.ip if isinstance(ip.ip, str) else ip.ip[0] for ip in adapter.ips]
        dialled = tuple(t for t in texts if not ipaddress.ip_address(t).is_link_local)
        networks = tuple(
            ipaddress.ip_network((text, ip.network_prefix), strict=False)
            for text, ip in zip(texts, adapter.ips, strict=True)
            if text in dialled
        )
        has_v6 = any(":" in text for text in texts)
        found.append(Interface(adapter.name, adapter.index, dialled, has_v6, networks))
    return tuple(found)


def reached_through(
    host: str, among: tuple[Interface, ...]
) -> tuple[tuple[Interface, ...], tuple[str, ...]]:
    """Where a server that listens on `host` is reached: the interfaces, and the addresses there.

    A server on every address is not announced on loopback; one on loopback only there. A name is
    looked up. Both are empty if this machine has no such address.
    """
    wanted = _resolved(host)
    used, addresses = [], []
    for interface in among:
        here = [a for a in interface.addresses if _listens(wanted, a)]
        if here:
            used.append(interface)
            addresses += here
    return tuple(used), tuple(addresses)


def nearest_first(addresses: Iterable[str], among: tuple[Interface, ...]) -> list[str]:
    """Sort so that those in a network of ours come first, IPv4 before IPv6."""

    def distance(address: str) -> tuple[bool, bool]:
        there = ipaddress.ip_address(address)
        ours = any(there in network for each in among for network in each.networks)
        return not ours, there.version == 6

    return sorted(addresses, key=distance)


def _resolved(host: str) -> frozenset[str]:
    try:
        return frozenset({str(ipaddress.ip_address(host))})
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return frozenset()
    return frozenset(str(entry[4][0]) for entry in found)


def _listens(wanted: frozenset[str], address: str) -> bool:
    if address in wanted:
        return True
    own = ipaddress.ip_address(address)
    every = _EVERY_V4 if own.version == 4 else _EVERY_V6
    return every in wanted and not own.is_loopback
