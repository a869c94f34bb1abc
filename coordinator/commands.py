"""What each command of the admin socket does to the running coordinator."""

import asyncio
from collections.abc import Container, Iterable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from coordinator import board
from coordinator.answers import Done, NodeLine
from coordinator.asks import (
    AnyAsk,
    AskApprove,
    AskBoard,
    AskEvict,
    AskFollow,
    AskInvite,
    AskInvites,
    AskNext,
    AskNodes,
    AskPause,
    AskReject,
    AskResume,
    AskRevoke,
    AskRevokeInvite,
    AskStatus,
    AskStop,
)
from coordinator.clock import wall_s
from coordinator.groupsseen import GroupsSeen
from coordinator.invites import invite_lines
from coordinator.refusals import BadRequestError, DiskError
from coordinator.roster import Member, Roster
from fedtui.crypto.keys import fingerprint, parse_fingerprint, short_id
from fedtui.rounds.machine import Operator
from fedtui.status.coordinator import InviteLine, MadeInvite

if TYPE_CHECKING:
    from coordinator.service import CoordinatorService


WRITTEN_WITHIN_S = 5.0


def node_line(member: Member, *, connected: bool) -> NodeLine:
    """A row of the roster for people."""
    return NodeLine(
        fingerprint=fingerprint(member.node_id),
        label=member.label,
        role=member.role,
        state=member.state,
        connected=connected,
        address=member.address,
        invite=member.invite.hex() if member.invite is not None else None,
        created=member.created,
        approved_by=member.approved_by,
        last_seen=member.last_seen,
    )


def node_lines(
    members: Iterable[Member], groups: GroupsSeen, *, connected: Container[bytes]
) -> list[NodeLine]:
    """All of them, with what their groups make of them."""
    counts, suspects = groups.counts, groups.suspects
    lines = []
    for member in members:
        bad, num = counts.get(member.node_id, (0, 0))
        line = node_line(member, connected=member.node_id in connected)
        is_suspect = member.node_id in suspects
        lines.append(replace(line, bad_groups=bad, groups=num, suspect=is_suspect))
    return lines


def find(roster: Roster, text: str) -> Member:
    """The node with this whole fingerprint: comparing it is the point of approving.

    Raises:
        BadRequestError: there is no such node.
        FingerprintError: it is no fingerprint.
    """
    prefix = parse_fingerprint(text)
    for node_id, member in roster.members.items():
        if node_id.startswith(prefix):
            return member
    raise BadRequestError(
        "no node with this fingerprint ever came; 'fedtui-coordinator nodes' lists those who did"
    )


class Commands:
    """Performs Asks on a service."""

    def __init__(self, service: "CoordinatorService") -> None:
        self._service = service

    async def answer(self, ask: AnyAsk) -> object:
        """The result for the Answer. Raises OperatorError or StoreError with a sentence."""
        match ask:
            case AskStatus():
                return self._service.status()
            case AskNodes():
                return self._nodes()
            case AskBoard():
                return self._service.board()
            case AskApprove() | AskReject() | AskRevoke() | AskEvict():
                return await self._decide(ask)
            case AskInvite() | AskInvites() | AskRevokeInvite():
                return await self._invites(ask)
            case AskPause() | AskResume() | AskNext() | AskStop():
                return await self._steer(ask)
            case AskFollow():
                raise BadRequestError("'follow' is a stream of its own")

    def _nodes(self) -> list[NodeLine]:
        visits = self._service.gatekeeper.visits
        members = self._service.store.roster.members.values()
        return node_lines(members, self._service.groups, connected=visits)

    async def _decide(self, ask: AskApprove | AskReject | AskRevoke | AskEvict) -> NodeLine:
        """What the operator decided about one node."""
        store, gatekeeper = self._service.store, self._service.gatekeeper
        member = find(store.roster, ask.fingerprint)
        node = member.node_id
        match ask:
            case AskApprove():
                member = await store.approve(node, by="operator")
                gatekeeper.approved(node)
                self._tell(node, "enrolled")
            case AskReject():
                member = await store.reject(node, by="operator")
                gatekeeper.revoked(node, was_pending=True)
                self._tell(node, "rejected")
            case AskRevoke():
                member = await store.revoke(node, by="operator")
                gatekeeper.revoked(node)
                self._tell(node, "revoked")
            case AskEvict():
                if not gatekeeper.evicted(node):
                    raise BadRequestError("this node is not connected: there is nothing to end")
                self._tell(node, "evicted")
        return self._line(member)

    def _tell(self, node: bytes, event: str) -> None:
        chronicle = self._service.chronicle
        chronicle.note(event, node=short_id(node), label=chronicle.name_of(node))

    async def _invites(
        self, ask: AskInvite | AskInvites | AskRevokeInvite
    ) -> MadeInvite | list[InviteLine] | Done:
        store, chronicle = self._service.store, self._service.chronicle
        match ask:
            case AskInvites():
                return invite_lines(await store.invites(), wall_s())
            case AskInvite():
                made = await self._service.invite_maker().make(ask)
                chronicle.note("invite made", invite=made.id, role=made.role, uses=made.uses)
                return made
            case AskRevokeInvite():
                await store.revoke_invite(bytes.fromhex(ask.id), by="operator")
                chronicle.note("invite revoked", invite=ask.id)
                return Done(text=f"invite {ask.id} lets nobody in any more")

    def _line(self, member: Member) -> NodeLine:
        return node_line(member, connected=member.node_id in self._service.gatekeeper.visits)

    async def _steer(self, ask: AskPause | AskResume | AskNext | AskStop) -> Done:
        if isinstance(ask, AskStop) and not ask.end:
            self._service.stop()
            return Done(text="the coordinator stops; 'serve' goes on where it was")
        ended = self._service.federation.ended
        if ended is not None:
            raise BadRequestError(f"the federation is over: {ended}")
        match ask:
            case AskPause():
                await self._durably(Operator("pause"))
                return Done(text="no new round begins; the one under way is finished")
            case AskResume():
                await self._durably(Operator("resume"))
                return Done(text="rounds go on")
            case AskNext():
                return await self._next()
            case _:
                await self._durably(Operator("stop"))
                return Done(text="the federation ends; its best model is the result")

    async def _next(self) -> Done:
        """Begin a round now; refused with the reason if none can begin."""
        federation = self._service.federation
        if not board.can_begin(federation):
            raise BadRequestError(f"no round can begin now: {self._service.status().text}")
        await self._durably(Operator("next"))
        return Done(text=f"a round begins with the {len(federation.available)} nodes here")

    async def _durably(self, event: Operator) -> None:
        """Raises DiskError if it cannot be written now; then it takes effect as soon as it can."""
        driver = self._service.driver
        try:
            async with asyncio.timeout(WRITTEN_WITHIN_S):
                await driver.done(event)
        except TimeoutError as error:
            raise DiskError(
                f"nothing can be written now ({driver.degraded or 'the disk does not answer'}): "
                "this takes effect as soon as there is room"
            ) from error
