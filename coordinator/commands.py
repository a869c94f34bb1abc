"""What each command of the admin socket does to the running coordinator."""

import asyncio
from typing import TYPE_CHECKING

from coordinator.answers import Done, NodeLine
from coordinator.asks import (
    AnyAsk,
    AskApprove,
    AskFollow,
    AskInvite,
    AskNodes,
    AskPause,
    AskResume,
    AskRevoke,
    AskStatus,
    AskStop,
)
from coordinator.refusals import BadRequestError, DiskError
from coordinator.roster import Member, Roster
from fedtui.crypto.keys import fingerprint, parse_fingerprint
from fedtui.rounds.machine import Operator

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
            case AskApprove(fingerprint=text):
                return await self._approve(text)
            case AskRevoke(fingerprint=text):
                return await self._revoke(text)
            case AskInvite():
                return await self._service.invite_maker().make(ask)
            case AskPause() | AskResume() | AskStop():
                return await self._steer(ask)
            case AskFollow():
                raise BadRequestError("'follow' is a stream of its own")

    def _nodes(self) -> list[NodeLine]:
        visits = self._service.gatekeeper.visits
        members = self._service.store.roster.members.values()
        return [node_line(m, connected=m.node_id in visits) for m in members]

    async def _approve(self, text: str) -> NodeLine:
        member = find(self._service.store.roster, text)
        member = await self._service.store.approve(member.node_id, by="operator")
        self._service.gatekeeper.approved(member.node_id)
        return self._line(member)

    async def _revoke(self, text: str) -> NodeLine:
        member = find(self._service.store.roster, text)
        member = await self._service.store.revoke(member.node_id, by="operator")
        self._service.gatekeeper.revoked(member.node_id)
        return self._line(member)

    def _line(self, member: Member) -> NodeLine:
        return node_line(member, connected=member.node_id in self._service.gatekeeper.visits)

    async def _steer(self, ask: AskPause | AskResume | AskStop) -> Done:
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
            case _:
                await self._durably(Operator("stop"))
                return Done(text="the federation ends; its best model is the result")

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
