"""Belonging: the coordinator that a node met, and whose the models on its disk are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from fedtui import status
from fedtui.crypto.keys import fingerprint
from fedtui.wire.labels import safe_label
from node.models import Owner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from node.config import NodeConfig
    from node.home import Connection, Home


def claim_models(home: Home, link: Connection, federation_id: bytes) -> None:
    """Models of a federation that this node was in before are no models of this one."""
    if link.coordinator is None:
        return
    board, models = home.board, home.models
    known = home.trust.get(link.coordinator.id)
    owner = Owner(federation_id=federation_id.hex(), coordinator_id=link.coordinator.id.hex())
    formerly = [one.hex() for one in known.former_ids] if known is not None else []
    try:
        old = bool(models.certified())
        began = models.belong_to(owner, formerly=formerly)
        if began and old:
            board.log("info", "another federation begins: the old models are removed")
        if began or models.num_counted > board.status.rounds_counted:
            board.post(status.FederationBegan(rounds_counted=models.num_counted))
    except OSError as error:
        text = f"the models of another federation cannot be removed: {error.strerror or error}"
        board.log("warning", text)


def pin(home: Home, link: Connection, addresses: Sequence[str]) -> None:
    """Keep both keys of the coordinator that just proved the pinned id, and show it."""
    if link.coordinator is None or link.server_hello is None:
        return
    known = home.trust.get(link.coordinator.id)
    label = safe_label(link.server_hello.federation)
    if known is None or (known.addresses, known.label) != (tuple(addresses), label):
        known = home.trust.pin(
            link.coordinator, addresses=tuple(addresses), label=label, now_s=home.clock()
        )
    pinned = status.Coordinator(
        label=known.label,
        address=addresses[0] if addresses else "the coordinator",
        fingerprint=fingerprint(known.id),
        pinned_at=known.first_seen_s,
        formerly=fingerprint(known.former_ids[-1]) if known.rotations else "",
    )
    shown = home.board.status.coordinator
    if shown is not None and shown.fingerprint == pinned.fingerprint:
        pinned = replace(pinned, words=shown.words, num_changed=shown.num_changed)
    if pinned != home.board.status.coordinator:
        home.board.post(status.CoordinatorPinned(coordinator=pinned))


def other_key(home: Home, told: str) -> None:
    """Another key than the pinned one answered: a person must look."""
    shown = home.board.status.coordinator
    if shown is None:
        return
    home.board.post(
        status.CoordinatorPinned(coordinator=replace(shown, num_changed=shown.num_changed + 1))
    )
    words = f" ({' '.join(shown.words)})" if shown.words else ""
    home.board.alarm(
        "key changed",
        f"{shown.label or shown.address} presented a DIFFERENT key. Either it was reinstalled or "
        "someone is in between. Nothing was sent.",
        remedy="stay disconnected; to accept it: a new invite from its operator, or fedtui trust "
        "replace",
        detail=(f"pinned: {shown.fingerprint}{words}", safe_label(told, 300)),
    )


def follow(home: Home, link: Connection, config: NodeConfig) -> NodeConfig:
    """Trust the new key that the coordinator's old one vouched for, and say so.

    Returns the configuration with the id that the coordinator has now. Raises KeyFileError and
    IdentityMismatchError.
    """
    for step in link.successions:
        known = home.trust.get(step.old.id)
        if known is None:  # an invite named an older key, and we never met it
            addresses = tuple(config.coordinator.addresses)
            known = home.trust.pin(step.old, addresses=addresses, label="", now_s=home.clock())
        if known.id != step.old.id:
            continue  # done in an earlier session
        home.trust.apply_rotation(step.rotation)
        home.board.log(
            "warning",
            f"the coordinator's key was rotated, and its old key vouches for the new one: "
            f"it is {fingerprint(step.new.id)} now, formerly {fingerprint(step.old.id)}",
            "link",
        )
        table = replace(config.coordinator, id=step.new.id.hex())
        config = replace(config, coordinator=table)
    return config
