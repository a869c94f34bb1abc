"""Which coordinators this user pinned on this machine, over all profiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedtui.errors import KeyFileError
from node.keystore import TRUSTED_FILE, TrustStore

if TYPE_CHECKING:
    from pathlib import Path

    from node.keystore import TrustedCoordinator


@dataclass(frozen=True, slots=True)
class Pin:
    """A coordinator whose key an operator vouched for. `label` is its federation's name."""

    id: bytes
    label: str
    since_s: float
    addresses: tuple[str, ...] = ()


def pins(base: Path) -> tuple[Pin, ...]:
    """Those in the trust store of each profile in `base`, the earliest pin of each key.

    A store that is damaged or open to others pins nothing.
    """
    found: dict[bytes, Pin] = {}
    for path in sorted(base.glob(f"*/{TRUSTED_FILE}")):
        for one in _trusted(path.parent):
            known = found.get(one.id)
            if known is None or one.first_seen_s < known.since_s:
                found[one.id] = Pin(one.id, one.label, one.first_seen_s, one.addresses)
    return tuple(found.values())


def _trusted(profile: Path) -> tuple[TrustedCoordinator, ...]:
    try:
        return TrustStore(profile).all()
    except KeyFileError:
        return ()
