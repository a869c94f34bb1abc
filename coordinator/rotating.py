"""`key rotate`: a new identity for a coordinator that does not run.

    lock -> identity.key.next -> rotations.json -> identity.key.next becomes identity.key
         -> the database goes over to the new identity, and the audit chain tells so

The renaming is the moment of change. A crash before it leaves the old identity, and a successor
that nobody heard of: the next `key rotate` throws it away. A crash after it leaves the new one,
and whoever opens the database next (`serve`, say) brings it over. The old key is gone then.
"""

from coordinator import hardening, keystore, lineage
from coordinator.answers import KeyReport
from coordinator.layout import Layout
from coordinator.opening import (
    load_identity,
    open_store,
    passphrase_from_environment,
    read_settings,
)
from coordinator.refusals import os_refusal
from coordinator.spokenwords import spoken
from fedtui.crypto.keys import Identity, fingerprint
from fedtui.wire.rotation import succeed


def show(layout: Layout) -> KeyReport:
    """The key in use and those before it; nothing secret.

    Raises:
        KeyFileError, MissingInputError, BadDataError: the directory cannot be read.
    """
    hardening.harden()
    read_settings(layout)
    return _report(layout, load_identity(layout))


def rotate(layout: Layout) -> KeyReport:
    """Replace the coordinator's identity. Slow with a passphrase.

    Raises:
        LockedError: the coordinator runs.
        KeyFileError, MissingInputError, BadDataError: the directory cannot be read.
        StoreError, DiskError: the disk does not allow it; the old identity is still in use.
    """
    hardening.harden()
    read_settings(layout)
    old = load_identity(layout)
    store = open_store(layout, old)
    try:
        steps = lineage.leading_to(layout, old.id)
        new = keystore.draw_next(layout.root, passphrase_from_environment())
        seq = steps[-1].seq + 1 if steps else 1
        lineage.write(layout, (*steps, succeed(old, new, seq=seq)))
        keystore.promote(layout.root)
    except OSError as error:
        raise os_refusal(error) from error
    finally:
        store.close()
    open_store(layout, new).close()
    return _report(layout, new)


def _report(layout: Layout, identity: Identity) -> KeyReport:
    return KeyReport(
        fingerprint=fingerprint(identity.id),
        words=spoken(layout.root, identity.id),
        former=tuple(fingerprint(key.id) for key in lineage.former(layout, identity.id)),
    )
