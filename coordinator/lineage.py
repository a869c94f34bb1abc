"""How this coordinator's identity came from older ones: `rotations.json`, public, step by step.

A step counts only if a chain of them leads to the identity in use. So a step that a crash left
behind, before its key was put in place, means nothing. The newest steps go into every ServerHello;
the old public keys check what they signed, such as heads of the audit chain.
"""

from dataclasses import dataclass

import msgspec

from coordinator.halffile import HalfFile
from coordinator.layout import Layout
from coordinator.refusals import BadDataError, os_refusal
from fedtui.crypto.keys import PublicIdentity
from fedtui.errors import IdentityMismatchError
from fedtui.wire.rotation import Succession, verify


class _Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file; a list of its own, so that more can be said later."""

    steps: tuple[Succession, ...]


@dataclass(frozen=True, slots=True)
class Signers:
    """Verifies what any of one coordinator's keys signed (audit.Verifier)."""

    keys: tuple[PublicIdentity, ...]

    def verify(self, purpose: str, message: bytes, signature: bytes) -> bool:
        """Whether one of the keys signed this."""
        return any(key.verify(purpose, message, signature) for key in self.keys)


def leading_to(layout: Layout, identity_id: bytes) -> tuple[Succession, ...]:
    """The steps that lead to this identity, oldest first; none if it is the first.

    Raises:
        BadDataError: the file is damaged, or a step does not hold.
        NoPermissionError, DiskError: it cannot be read.
    """
    found: list[Succession] = []
    wanted = identity_id
    for step in reversed(_read(layout)):
        if step.new.id != wanted:
            continue
        try:
            verify(step.rotation, step.old, last_seq=0)
        except IdentityMismatchError as error:
            raise _damaged(layout, str(error)) from error
        found.insert(0, step)
        wanted = step.old.id
    return tuple(found)


def former(layout: Layout, identity_id: bytes) -> tuple[PublicIdentity, ...]:
    """The identities before this one, oldest first; raises like `leading_to`."""
    return tuple(step.old for step in leading_to(layout, identity_id))


def write(layout: Layout, steps: tuple[Succession, ...]) -> None:
    """Keep these steps, and no others, durably. Raises StoreUnavailable or StoreFatal."""
    data = msgspec.json.format(msgspec.json.encode(_Kept(steps=steps)), indent=2)
    half = HalfFile(layout.rotations)
    try:
        half.write(data)
        half.finish()
    finally:
        half.abandon()


def _read(layout: Layout) -> tuple[Succession, ...]:
    try:
        return msgspec.json.decode(layout.rotations.read_bytes(), type=_Kept).steps
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise os_refusal(error) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise _damaged(layout, str(error)) from error


def _damaged(layout: Layout, what: str) -> BadDataError:
    return BadDataError(
        f"{layout.rotations} is damaged ({what}): put it back from a backup; without it nodes "
        "that trust an older key stop"
    )
