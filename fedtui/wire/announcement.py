"""What a coordinator announces of itself on its network (mDNS), and what may be read out of that.

    service   _fedtui._tcp.local.
    TXT       v=1
              id=    the first 16 characters of its fingerprint, without dashes: a hint
              fed=   the federation's name

Anybody on the network can announce anything, so nothing here is trusted: texts are made safe to
show, the id is a hint about which pinned coordinator this may be, and only the handshake tells.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fedtui.crypto.keys import fingerprint
from fedtui.wire.labels import safe_label

SERVICE = "_fedtui._tcp.local."
VERSION = "1"
HINT_CHARACTERS = 16
MAX_TEXT_BYTES = 200
MAX_INSTANCE_BYTES = 40  # and a hint: DNS allows 63

_HINT = re.compile(r"[A-Z2-7]{16}")


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a TXT record claims; both may be empty. `hint` is 16 base32 characters."""

    hint: str
    federation: str


def hint_of(identity_id: bytes) -> str:
    """The part of a coordinator's fingerprint that is announced."""
    return fingerprint(identity_id).replace("-", "")[:HINT_CHARACTERS]


def properties(identity_id: bytes, federation: str) -> dict[str, str]:
    """The TXT record of a coordinator."""
    name = _shorten(safe_label(federation), MAX_TEXT_BYTES)
    return {"v": VERSION, "id": hint_of(identity_id), "fed": name}


def instance(identity_id: bytes, federation: str) -> str:
    """The service's full name: that of the federation, and enough of the id to be unique."""
    label = _shorten(safe_label(federation), MAX_INSTANCE_BYTES) or "federation"
    return f"{label} {hint_of(identity_id)[:8]}.{SERVICE}"


def read(found: Mapping[bytes, bytes | None]) -> Announcement | None:
    """What a TXT record of any origin says; None if it is not of this version."""
    if found.get(b"v") != VERSION.encode():
        return None
    hint = _text(found.get(b"id"))
    return Announcement(
        hint=hint if _HINT.fullmatch(hint) else "", federation=safe_label(_text(found.get(b"fed")))
    )


def label_of(name: str) -> str:
    """What to call a service with this full name, of any origin; may be empty."""
    return safe_label(name.removesuffix(f".{SERVICE}"))


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


def _shorten(text: str, num_bytes: int) -> str:
    """At most so many bytes of UTF-8, whole characters only."""
    return text.encode()[:num_bytes].decode("utf-8", "ignore").rstrip()
