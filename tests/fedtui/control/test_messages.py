"""The control protocol's lines: round trips, bounds, and nothing secret in a representation."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.control import messages
from fedtui.control.messages import (
    Ack,
    Attach,
    Command,
    ControlError,
    Err,
    Happened,
    Hello,
    Snapshot,
)
from fedtui.status import LedgerLine, NodeStatus, StateChanged

LINE = LedgerLine(at=1.0, round=1, attempt=1, what="u", num_bytes=3, form="f", receiver="c")
FROM_NODE = [
    Hello(proto=1, node="alder", version="0", pid=3, started_at=1.5),
    Snapshot(status=NodeStatus(label="alder", ledger=(LINE,))),
    Happened(event=StateChanged(seq=4, state="paused", sentence="x")),
    Ack(id=1, status=NodeStatus()),
    Ack(id=2, ledger=(LINE,)),
    Err(id=3, text="no", remedy="yes", exit_code=7),
]
FROM_SCREEN = [
    Attach(proto=1, watch=True, since=4),
    Command(id=1, name="join", text="fedtui1:secret"),
]


@pytest.mark.parametrize("message", FROM_NODE, ids=lambda m: type(m).__name__)
def test_what_a_node_says_comes_back_equal_on_one_line(message: messages.FromNode) -> None:
    line = messages.encode(message)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert messages.decode_from_node(line) == message


@pytest.mark.parametrize("message", FROM_SCREEN, ids=lambda m: type(m).__name__)
def test_what_a_screen_says_comes_back_equal(message: messages.FromScreen) -> None:
    assert messages.decode_from_screen(messages.encode(message)) == message


@pytest.mark.parametrize("message", FROM_NODE, ids=lambda m: type(m).__name__)
def test_directions_do_not_mix(message: messages.FromNode) -> None:
    with pytest.raises(ControlError):
        messages.decode_from_screen(messages.encode(message))


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_message_or_a_control_error(line: bytes) -> None:
    for decode in (messages.decode_from_screen, messages.decode_from_node):
        with contextlib.suppress(ControlError):
            decode(line)


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"cmd","id":0,"name":"stop"}',
        b'{"type":"cmd","id":1,"name":"rm"}',
        b'{"type":"cmd","id":1,"name":"ledger","limit":1000000}',
        b'{"type":"cmd","id":1,"name":"join","text":"' + b"x" * 5000 + b'"}',
        b"[" * 100_000,
    ],
)
def test_commands_are_bounded(line: bytes) -> None:
    with pytest.raises(ControlError):
        messages.decode_from_screen(line)


def test_K2_an_invite_is_not_in_a_commands_representation() -> None:
    assert "secret" not in repr(Command(id=1, name="join", text="fedtui1:secret"))


def test_a_newer_node_may_say_more() -> None:
    line = msgspec.json.encode({"type": "snapshot", "status": {"label": "x", "mood": "fine"}})
    found = messages.decode_from_node(line)
    assert isinstance(found, Snapshot)
    assert found.status.label == "x"
