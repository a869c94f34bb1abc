"""Interfaces: which ones discovery uses, and under which addresses a server is reached."""

from ipaddress import ip_network

import ifaddr

from fedtui.link.interfaces import Interface, interfaces, nearest_first, reached_through

LO = Interface("lo", 1, ("127.0.0.1", "::1"), has_v6=True)
LAN = Interface("eth0", 2, ("192.168.1.20", "fd00::20"), has_v6=True)
WIFI = Interface("wlan0", 3, ("10.0.0.7",), has_v6=False)
HERE = (LO, LAN, WIFI)


def adapter(name: str, index: int, *ips: str) -> ifaddr.Adapter:
    made = [
        ifaddr.IP((ip, 0, index) if ":" in ip else ip, 64 if ":" in ip else 24, name) for ip in ips
    ]
    return ifaddr.Adapter(name, name, made, index=index)


def test_bridges_of_containers_and_link_local_addresses_are_left_out() -> None:
    found = interfaces(
        [
            adapter("eth0", 2, "192.168.1.20", "fe80::1", "fd00::20"),
            adapter("docker0", 3, "172.17.0.1"),
            adapter("br-9f3a", 4, "172.18.0.1"),
            adapter("veth12", 5, "fe80::2"),
            adapter("wlan0", 6, "169.254.1.1", "fe80::3"),
        ]
    )
    assert [each.name for each in found] == ["eth0", "wlan0"]
    assert [each.addresses for each in found] == [LAN.addresses, ()]
    assert found[0].networks == (ip_network("192.168.1.0/24"), ip_network("fd00::/64"))
    assert found[1].has_v6


def test_this_machine_has_a_loopback() -> None:
    assert any("127.0.0.1" in each.addresses for each in interfaces())


def test_a_server_on_every_address_is_reached_through_the_network() -> None:
    everywhere = "0.0.0.0"  # noqa: S104  nothing is bound
    assert reached_through(everywhere, HERE) == ((LAN, WIFI), ("192.168.1.20", "10.0.0.7"))
    assert reached_through("::", HERE) == ((LAN,), ("fd00::20",))


def test_a_server_on_one_address_is_reached_through_that_one() -> None:
    assert reached_through("10.0.0.7", HERE) == ((WIFI,), ("10.0.0.7",))
    assert reached_through("127.0.0.1", HERE) == ((LO,), ("127.0.0.1",))
    assert reached_through("localhost", HERE)[0] == (LO,)


def test_an_address_or_name_of_nobody_is_reached_through_nothing() -> None:
    assert reached_through("192.168.1.99", HERE) == ((), ())
    assert reached_through("nowhere.invalid", HERE) == ((), ())


def test_an_address_in_a_network_of_ours_is_dialled_first() -> None:
    ours = interfaces([adapter("eth0", 2, "192.168.1.20", "fd00::20")])
    there = ["10.0.0.1", "fd00::77", "192.168.1.77", "2001:db8::1"]
    assert nearest_first(there, ours) == ["192.168.1.77", "fd00::77", "10.0.0.1", "2001:db8::1"]
