"""Orders: what the operator told a running node that must outlive it, in `orders.json`.

Paused and until when, cut off, leaving after a round. Written before the command is answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from node.paths import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from node.paths import Profile


class Orders(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`until` is UTC seconds, 0 until the operator resumes; `cut`: paused, and no connection.

    `leaving` is the round after which the node leaves, 0 if it stays; `forget` drops the
    coordinator's key then.
    """

    paused: bool = False
    until: float = 0.0
    cut: bool = False
    leaving: int = 0
    forget: bool = False


def load(home: Profile) -> Orders:
    """The orders that stand. One that cannot be read means paused: nothing leaves by mistake."""
    try:
        return msgspec.json.decode(_path(home).read_bytes(), type=Orders)
    except FileNotFoundError:
        return Orders(paused=_older_mark(home).exists())
    except (msgspec.DecodeError, ValueError):
        return Orders(paused=True)


def save(home: Profile, orders: Orders) -> None:
    """Make the orders durable; without any there is no file. Raises OSError."""
    if orders == Orders():
        _path(home).unlink(missing_ok=True)
    else:
        write_atomically(_path(home), msgspec.json.encode(orders) + b"\n")
    _older_mark(home).unlink(missing_ok=True)


def _path(home: Profile) -> Path:
    return home.root / "orders.json"


def _older_mark(home: Profile) -> Path:
    """Of versions that knew pause only: an empty file."""
    return home.root / "paused"
