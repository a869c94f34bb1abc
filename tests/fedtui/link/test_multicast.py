"""mDNS sockets: on which interfaces they are opened."""

import logging

from fedtui.link.interfaces import Interface
from fedtui.link.multicast import close, names_of, open_on

LO = Interface("lo", 1, ("127.0.0.1", "::1"), has_v6=True)
LAN = Interface("eth0", 2, ("192.168.1.20", "192.168.1.21", "fd00::20"), has_v6=True)
WIFI = Interface("wlan0", 3, ("10.0.0.7",), has_v6=False)
ONLY_V6 = Interface("eth1", 4, (), has_v6=True)


def test_an_address_for_ipv4_and_an_index_for_ipv6() -> None:
    assert names_of((LO, LAN, WIFI, ONLY_V6)) == ["127.0.0.1", "192.168.1.20", 2, "10.0.0.7", 4]


async def test_what_is_opened_can_be_closed_twice() -> None:
    opened = open_on((LO,))
    await close(opened)
    await close(opened)


def test_the_library_quotes_no_stranger_in_a_log() -> None:
    assert logging.getLogger("zeroconf").disabled
