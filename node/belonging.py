"""Belonging: what a node keeps of the coordinator it met, and whose the models on its disk are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedtui import status
from fedtui.crypto.keys import fingerprint
from fedtui.wire.labels import safe_label
from node.models import Owner

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    if pinned != home.board.status.coordinator:
        home.board.post(status.CoordinatorPinned(coordinator=pinned))
