"""What commands do themselves when no coordinator runs: read the database, or take its lock."""

import asyncio

from coordinator import figures, groupsseen, report, spending
from coordinator.answers import NodeLine, Status
from coordinator.asks import AskInvite
from coordinator.clock import wall_s
from coordinator.commands import node_lines
from coordinator.invites import InviteMaker, invite_lines
from coordinator.layout import Layout
from coordinator.membership import invites as stored_invites
from coordinator.membership import nodes as stored_nodes
from coordinator.opening import load_identity, open_store, read_settings
from coordinator.reading import reading
from coordinator.refusals import BadRequestError
from fedtui.crypto.keys import fingerprint, short_id
from fedtui.status.coordinator import InviteLine, MadeInvite


def status(layout: Layout) -> Status:
    """How the federation stood when the coordinator stopped."""
    settings = read_settings(layout)
    with reading(layout) as database:
        snapshot, incarnation = database.snapshot(), database.incarnation
        looks = figures.load(database.connection, database.federation_id)
        groups = groupsseen.load(database.connection, database.federation_id)
        labels = {m.node_id: m.label for m in stored_nodes(database.connection)}
    around = report.Surroundings(
        fingerprint=fingerprint(load_identity(layout).id),
        incarnation=incarnation,
        name=lambda node: labels.get(node) or f"node {short_id(node)}",
        figures=looks,
        groups=groups,
        spent=spending.of_stopped(settings.plan, snapshot),
    )
    return report.of_stopped(snapshot, settings.plan, settings.plan_hash, around)


def nodes(layout: Layout) -> list[NodeLine]:
    """Every node that ever came."""
    with reading(layout) as database:
        members = stored_nodes(database.connection)
        groups = groupsseen.load(database.connection, database.federation_id)
    return node_lines(members, groups, connected=())


def invites(layout: Layout) -> list[InviteLine]:
    """Every invite, newest first."""
    with reading(layout) as database:
        return invite_lines(stored_invites(database.connection), wall_s())


def invite(layout: Layout, ask: AskInvite) -> MadeInvite:
    """A new invite, made under the store's lock."""
    return asyncio.run(_invite(layout, ask))


async def _invite(layout: Layout, ask: AskInvite) -> MadeInvite:
    settings = read_settings(layout)
    port = settings.config.server.port
    if port == 0:
        raise BadRequestError(
            "the port is chosen when the coordinator starts ([server] port = 0): start it first"
        )
    identity = load_identity(layout)
    store = open_store(layout, identity)
    try:
        return await InviteMaker(identity, store, settings.config, port).make(ask)
    finally:
        store.close()
