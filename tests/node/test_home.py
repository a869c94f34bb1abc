"""The real link has what a node needs of its connection; mypy checks the types."""

import inspect

from node.home import Connection
from node.link import Link
from node.transfers import Session


def test_the_link_is_a_connection() -> None:
    wanted = {
        name
        for kind in (Connection, Session)
        for name, member in vars(kind).items()
        if inspect.isfunction(member) and not name.startswith("_")
    }
    assert wanted >= {"ready", "run", "send", "open_stream", "stop"}
    assert wanted <= set(dir(Link))
