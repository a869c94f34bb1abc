"""The consent receipt: which plan the operator agreed to, when, and what they were shown.

Written before the node says that it consents, kept across restarts, removed by `fedtui leave`.
Another plan hash than this one means: stop and ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fedtui.status import Leaves
from node.exits import Exit, Stop
from node.paths import write_atomically

if TYPE_CHECKING:
    from pathlib import Path


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """Hashes and ids are hex; `at` is UTC seconds; `leaves` is what was on the screen."""

    plan_hash: str
    coordinator_id: str
    at: float
    visible_updates: bool
    leaves: tuple[Leaves, ...] = ()
    data_path: str = ""


def load(path: Path) -> Consent | None:
    """The consent given, if any. Raises Stop if the file is damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Consent)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, ValueError) as error:
        raise Stop(
            f"{path} is damaged: {error}",
            remedy=f"remove it and consent again: rm {path}, then fedtui join",
            exit_code=Exit.BAD_DATA,
        ) from error


def save(path: Path, consent: Consent) -> None:
    """Make the consent durable."""
    write_atomically(path, msgspec.json.format(msgspec.json.encode(consent), indent=2) + b"\n")


def withdraw(path: Path) -> None:
    """Forget it: the next join asks."""
    path.unlink(missing_ok=True)
