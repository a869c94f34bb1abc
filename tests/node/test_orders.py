"""Orders outlive the daemon, and nothing leaves because of a file that cannot be read."""

import pytest

from node import orders
from node.orders import Orders
from node.paths import Profile


def test_orders_come_back_as_they_were(home: Profile) -> None:
    assert orders.load(home) == Orders()
    given = Orders(paused=True, until=5.5, leaving=7, forget=True)
    orders.save(home, given)
    assert orders.load(home) == given
    assert (home.root / "orders.json").stat().st_mode & 0o777 == 0o600
    orders.save(home, Orders())
    assert orders.load(home) == Orders()
    assert not list(home.root.glob("*orders*"))


@pytest.mark.parametrize("content", [b"", b"{", b'{"paused": 3}', b"\xff"])
def test_a_damaged_file_means_paused(home: Profile, content: bytes) -> None:
    (home.root / "orders.json").write_bytes(content)
    assert orders.load(home) == Orders(paused=True)


def test_the_mark_of_an_older_version_is_taken_over(home: Profile) -> None:
    mark = home.root / "paused"
    mark.touch()
    assert orders.load(home) == Orders(paused=True)
    orders.save(home, Orders(paused=True, until=9.0))
    assert not mark.exists()
    assert orders.load(home).until == 9.0
