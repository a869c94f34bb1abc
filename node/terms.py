"""What the coordinator asks this node to agree to, as it comes and as it is kept.

`Terms` arrive as one bulk stream, are checked against the hash that the coordinator announced, and
are kept in `terms.bin`, so that a restart need not fetch them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedtui.errors import RemoteProtocolError
from fedtui.rounds import plan as plans
from fedtui.rounds.plan import Plan
from fedtui.telling.agreement import Agreement
from fedtui.wire import codec
from fedtui.wire.messages import MAX_PLAN_BYTES, Terms
from node.paths import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from fedtui.learning.params import Manifest

MAX_TERMS_BYTES = 4 * MAX_PLAN_BYTES


def read(data: bytes, announced_hash: bytes) -> Agreement:
    """The terms in `data`. Raises RemoteProtocolError if they are not those of this hash."""
    plan, manifest = _decode(data)
    found = plans.plan_hash(plan, manifest)
    if found != announced_hash:
        raise RemoteProtocolError(
            f"the coordinator announced plan {announced_hash.hex()} and sent {found.hex()}"
        )
    return Agreement(plan, manifest, found)


def load(path: Path, announced_hash: bytes | None = None) -> Agreement | None:
    """The terms kept from before: if they are those of this hash, or whichever they are."""
    try:
        data = path.read_bytes()
        return read(data, announced_hash or _hash_of(data))
    except (OSError, RemoteProtocolError):
        return None


def _hash_of(data: bytes) -> bytes:
    plan, manifest = _decode(data)
    return plans.plan_hash(plan, manifest)


def _decode(data: bytes) -> tuple[Plan, Manifest]:
    terms = codec.decode(data, Terms, max_bytes=MAX_TERMS_BYTES, max_text_bytes=MAX_TERMS_BYTES)
    plan = codec.decode(terms.plan, Plan, max_bytes=MAX_PLAN_BYTES, max_text_bytes=4096)
    return plan, terms.manifest


def save(path: Path, data: bytes) -> None:
    """Keep terms that `read` accepted."""
    write_atomically(path, data)
