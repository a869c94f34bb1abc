"""The consent receipt: what the operator agreed to, when, with whom, and what they were shown.

Written before the node says that it consents, kept across restarts, removed by `fedtui leave`.
Another plan, form, coordinator or data than these mean: stop and ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fedtui.crypto.keys import fingerprint
from fedtui.status import Leaves, Receipt
from node.exits import Exit, Stop
from node.paths import write_atomically

if TYPE_CHECKING:
    from pathlib import Path


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """Hashes and ids are hex; `at` is UTC seconds; `leaves` is what was on the screen.

    `data_digest` is of the examples as the trainer read them ("" until it has), `limits` what the
    operator allowed, in words.
    """

    plan_hash: str
    coordinator_id: str
    at: float
    visible_updates: bool
    leaves: tuple[Leaves, ...] = ()
    data_path: str = ""
    form_hash: str = ""
    data_digest: str = ""
    num_examples: int = 0
    limits: str = ""

    def receipt(self) -> Receipt:
        """As screens show it: without the path of the data."""
        return Receipt(
            plan_hash=self.plan_hash,
            form_hash=self.form_hash,
            coordinator=fingerprint(bytes.fromhex(self.coordinator_id)),
            at=self.at,
            data=f"{self.num_examples:,} examples" if self.num_examples else "",
            data_digest=self.data_digest,
            limits=self.limits,
        )


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
