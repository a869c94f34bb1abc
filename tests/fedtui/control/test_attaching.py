"""A screen is drawn on a terminal only, and a node of another protocol is only looked at."""

import sys

import pytest

from fedtui.control.attaching import attached, has_screen, surroundings
from fedtui.control.messages import PROTO, Hello


class Store:
    """Keeps what it was told last."""

    told = ""

    def lost(self) -> None:
        self.told = "lost"

    def read_only(self, why: str) -> None:
        self.told = why or "free"


def hello(proto: int) -> Hello:
    return Hello(proto=proto, node="n", version="9.1", pid=1, started_at=0.0)


def test_a_node_of_another_protocol_is_only_looked_at() -> None:
    store = Store()
    attached(store, None)
    assert store.told == "lost"
    attached(store, hello(PROTO + 1))
    assert store.told.startswith("node is 9.1, this screen ")
    attached(store, hello(PROTO))
    assert store.told == "free"


@pytest.mark.parametrize("term", ["xterm", "dumb", ""])
@pytest.mark.parametrize("piped", ["", "stdin", "stdout"])
def test_a_screen_needs_a_terminal_on_both_sides(
    monkeypatch: pytest.MonkeyPatch, term: str, piped: str
) -> None:
    monkeypatch.setenv("TERM", term)
    for name in ("stdin", "stdout"):
        monkeypatch.setattr(getattr(sys, name), "isatty", lambda name=name: name != piped)
    assert has_screen() is (term == "xterm" and not piped)
    assert surroundings()["TERM"] == term
    assert surroundings()["ENCODING"] == sys.stdout.encoding
