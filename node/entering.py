"""Entering: the coordinator that a profile belongs to, from an invite or a key that was verified.

One profile is one node in one federation: what names another coordinator than node.toml does is
refused, but a new invite for an address that is known already brings that coordinator's new key.
A key that was verified by its words never replaces a pinned one: `fedtui trust replace` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fedtui.crypto.keys import fingerprint
from node import config as configs
from node import keystore
from node.exits import Exit, Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedtui.wire.invite import Invite
    from node.config import NodeConfig
    from node.paths import Profile
    from node.probing import Probed


def with_invite(
    home: Profile, config: NodeConfig, invite: Invite | None, *, say: Callable[[str], None]
) -> NodeConfig:
    """node.toml with the invite's coordinator; `say` is told of a new key for an old address.

    Raises:
        Stop: the profile belongs to another federation.
    """
    if invite is None:
        return config
    trust = keystore.TrustStore(home.root)
    old_id = trust.current_id(bytes.fromhex(config.coordinator.id)).hex()
    new_id = trust.current_id(invite.coordinator_id).hex()
    if old_id and old_id != new_id:
        _check_successor(config, invite, say)
        home.consent.unlink(missing_ok=True)
        home.terms.unlink(missing_ok=True)
    coordinator = configs.CoordinatorTable(id=new_id, addresses=list(invite.addresses))
    return msgspec.structs.replace(config, coordinator=coordinator)


def with_verified(home: Profile, config: NodeConfig, found: Probed, *, now_s: float) -> NodeConfig:
    """node.toml with a coordinator whose key the operator verified; pins it. `now_s` is UTC.

    Raises:
        Stop: the profile belongs to another federation, or trusts another key of this one.
        IdentityMismatchError: that key handed over to a newer one.
    """
    trust = keystore.TrustStore(home.root)
    old_id = trust.current_id(bytes.fromhex(config.coordinator.id))
    if old_id and old_id != found.identity.id:
        raise _another(config, old_id, found)
    others = [a for a in config.coordinator.addresses if a != found.address] if old_id else []
    addresses = [found.address, *others][:8]
    trust.pin(found.identity, addresses=tuple(addresses), label=found.federation, now_s=now_s)
    table = configs.CoordinatorTable(id=found.identity.id.hex(), addresses=addresses)
    return msgspec.structs.replace(config, coordinator=table)


def _another(config: NodeConfig, old_id: bytes, found: Probed) -> Stop:
    known, new = fingerprint(old_id), fingerprint(found.identity.id)
    if found.address in config.coordinator.addresses:
        return Stop(
            f"the coordinator at {found.address} has another key than this profile trusts.\n"
            f"  trusted: {known}\n  now:     {new}\nNothing was sent to it",
            remedy="if its operator says that the new key is right: fedtui trust replace --id "
            f"{new}",
            exit_code=Exit.IDENTITY_CHANGED,
        )
    return Stop(
        f"this profile is in the federation of {known}, the coordinator there is {new}",
        remedy="fedtui --profile OTHER join ..., or first: fedtui leave",
        exit_code=Exit.REFUSED,
    )


def _check_successor(config: NodeConfig, invite: Invite, say: Callable[[str], None]) -> None:
    """A new invite may bring a new key for an old address; another place is another profile."""
    known = fingerprint(bytes.fromhex(config.coordinator.id))
    found = fingerprint(invite.coordinator_id)
    if not set(config.coordinator.addresses) & set(invite.addresses):
        raise Stop(
            f"this profile is in the federation of {known}, the invite is from {found}",
            remedy="fedtui --profile OTHER join ..., or first: fedtui leave",
            exit_code=Exit.REFUSED,
        )
    say(
        f"the coordinator at {invite.addresses[0]} has a new key; the invite vouches for it\n"
        f"  until now: {known}\n  from now:  {found}"
    )
