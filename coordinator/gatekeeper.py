"""Who comes in, and what each may say: between the nodes' sessions and the federation's machine.

Every message passes one question to the roster, (role, state, kind, phase) -> allowed; what is
absent from its table is dropped. An enrolled node joins the federation with its consent to the
plan; a pending one waits, connected, for `approved`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

import structlog

from coordinator.arrivals import Arrivals
from coordinator.clock import wall_s
from coordinator.files import StoreConflict, StoreError, StoreFatal, StoreUnavailable
from coordinator.library import Library
from coordinator.membership import Enrolment
from coordinator.metrics import Metrics
from coordinator.newcomers import NOT_LET_IN, Newcomers
from coordinator.roster import Member, kind_of
from coordinator.savings import Savings
from coordinator.server import NodeLink, Rejected
from coordinator.store import Store
from coordinator.traffic import Moved, Traffic
from fedtui.crypto.keys import FINGERPRINT_BYTES, Identity, PublicIdentity, short_id
from fedtui.errors import ChannelError, CloseCode
from fedtui.rounds.machine import CoordinatorEvent, Joined, Left, Said
from fedtui.rounds.records import Audited
from fedtui.wire import codec, rotation
from fedtui.wire.enrolment import Certificate, enrol
from fedtui.wire.events import (
    MessageReceived,
    Readied,
    SessionEvent,
    StreamCancelled,
    StreamComplete,
    StreamFailed,
    StreamOpened,
    StreamReceipt,
    StreamRefused,
)
from fedtui.wire.halves import Admission
from fedtui.wire.invite import secret_hash
from fedtui.wire.labels import safe_label
from fedtui.wire.messages import (
    ClientHello,
    Fetch,
    FromCoordinator,
    FromNode,
    Leaving,
    Open,
    Rotated,
    RotateKey,
)

log = structlog.get_logger(__name__)

RETRY_AFTER_S = 5.0
EVICTED_S = 10.0  # after which an evicted node may dial again
AUDIT_EVERY_S = 60.0
"""Of what a node can cause as often as it likes, the audit chain gets one entry of each kind in
this time: nobody fills the disk by coming and going. The log has them all."""
_HANDED_OVER = (CloseCode.ROTATED, "this identity handed over to a new key: it is refused now")


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What does not change while the coordinator runs."""

    identity: Identity
    store: Store
    library: Library
    savings: Savings
    plan_hash: bytes
    newcomers: Newcomers
    allowlist: frozenset[bytes]
    pending_s: float


@dataclass(slots=True)
class Visit:
    """One node's session."""

    link: NodeLink
    joined: bool = False
    streams: dict[int, Open] = field(default_factory=dict)  # ours to it, by number
    timer: asyncio.TimerHandle | None = None
    declared: tuple[tuple[str, str], ...] = ()


class Gatekeeper:
    """Implements the server's Gate. `put` hands an event to the driver."""

    def __init__(
        self,
        house: House,
        arrivals: Arrivals,
        *,
        put: Callable[[CoordinatorEvent], None],
        phase: Callable[[], str],
        fatal: Callable[[Exception], None],
        metrics: Metrics,
    ) -> None:
        self.visits: dict[bytes, Visit] = {}
        self._house = house
        self._arrivals = arrivals
        self._put = put
        self._phase = phase
        self._fatal = fatal
        self._metrics = metrics
        self._tasks: set[asyncio.Task[None]] = set()
        self._audited: dict[tuple[bytes, str], float] = {}  # oldest first
        self._traffic = Traffic()
        self.unfit: Counter[bytes] = Counter()  # updates refused for what they are
        self.on_alarm: Callable[[str, str], None] | None = None  # hears a kind and a sentence
        self.on_waiting: Callable[[bytes], None] | None = None  # a node came that is pending

    @property
    def num_pending(self) -> int:
        """Connected nodes that wait for approval."""
        return sum(1 for visit in self.visits.values() if self._state(visit) == "pending")

    def traffic(self) -> Moved:
        """All bytes received from and sent to nodes so far, whole frames."""
        return self._traffic.total(visit.link.tally for visit in self.visits.values())

    def traffic_of(self, node_id: bytes) -> Moved:
        """The same of one node."""
        visit = self.visits.get(node_id)
        return self._traffic.of(node_id, visit.link.tally if visit is not None else None)

    # ---- coming in ------------------------------------------------------------------------------

    async def admit(self, identity: PublicIdentity, hello: ClientHello, address: str) -> Admission:
        """See Gate.admit."""
        try:
            admission = await self._decide(identity, hello, address)
        except Rejected as verdict:
            self._metrics.handshakes.labels("rejected", int(verdict.code)).inc()
            log.info("not admitted", node=identity.id, code=int(verdict.code), address=address)
            raise
        self._metrics.handshakes.labels("admitted", 0).inc()
        return admission

    async def _decide(
        self, identity: PublicIdentity, hello: ClientHello, address: str
    ) -> Admission:
        known = self._house.store.roster.get(identity.id)
        if known is not None and known.state == "enrolled":
            return self._admission(known)
        if known is not None and known.state != "pending":
            raise Rejected(*_gone(known))
        listed = identity.id[:FINGERPRINT_BYTES] in self._house.allowlist
        if known is None and hello.invite is None and not listed:
            self._house.newcomers.check(address, now=asyncio.get_running_loop().time())
        try:
            await self._approve_in_advance(identity)
            result = await self._house.store.enrol(
                _enrolment(identity, hello, address), now=wall_s()
            )
        except StoreUnavailable as error:
            raise Rejected(
                CloseCode.OVERLOADED,
                "the coordinator cannot store anything now",
                retryable=True,
                retry_after_s=RETRY_AFTER_S,
            ) from error
        except StoreConflict as error:
            raise Rejected(CloseCode.UNAUTHORISED, NOT_LET_IN) from error
        except StoreFatal as error:
            self._fatal(error)
            raise Rejected(CloseCode.SHUTTING_DOWN, "stopping", retryable=True) from error
        member = self._house.store.roster.get(identity.id)
        if result.state == "refused" or member is None:
            raise Rejected(CloseCode.UNAUTHORISED, NOT_LET_IN)
        return self._admission(member)

    async def _approve_in_advance(self, identity: PublicIdentity) -> None:
        if identity.id[:FINGERPRINT_BYTES] in self._house.allowlist:
            await self._house.store.allow((identity.id,), by="allowlist file")

    def _admission(self, member: Member) -> Admission:
        return Admission(
            state="enrolled" if member.state == "enrolled" else "pending",
            role=member.role,
            federation_id=self._house.store.federation_id,
            plan_hash=self._house.plan_hash,
            plan_bytes=self._house.library.num_terms_bytes,
        )

    def opened(self, link: NodeLink) -> None:
        """See Gate.opened."""
        visit = self.visits[link.node_id] = Visit(link)
        link.on_refused = lambda code, why: self._refused(link, code, why)
        log.info("connected", node=link.node_id, role=link.role, state=link.admission.state)
        member = self._house.store.roster.get(link.node_id)
        if member is not None and member.state not in {"pending", "enrolled"}:
            link.close(*_gone(member))  # it was let in while that was decided
            return
        if self._state(visit) == "pending":
            loop = asyncio.get_running_loop()
            visit.timer = loop.call_later(self._house.pending_s, self._give_up_pending, visit)
            if self.on_waiting is not None:
                self.on_waiting(link.node_id)
        self._start(self._touch(link))

    async def _touch(self, link: NodeLink) -> None:
        await self._house.store.touch(link.node_id, now=wall_s(), address=link.address)

    def _give_up_pending(self, visit: Visit) -> None:
        if self._state(visit) == "pending":
            text = "nobody approved this node in time; connect again to ask again"
            visit.link.close(CloseCode.PENDING_TIMEOUT, text)

    def closed(self, link: NodeLink, code: int, text: str) -> None:
        """See Gate.closed."""
        visit = self.visits.get(link.node_id)
        if visit is None or visit.link is not link:
            return
        del self.visits[link.node_id]
        link.on_refused = None
        self._traffic.ended(link.node_id, link.tally)
        if visit.timer is not None:
            visit.timer.cancel()
        self._arrivals.closed(link)
        if code == CloseCode.CRYPTO:
            self._metrics.decrypt_failures.inc()
        log.info("disconnected", node=link.node_id, code=int(code), reason=text[:200])
        if link.superseded_by is not None:
            places = f"by one from {link.superseded_by.address}, this one from {link.address}"
            self._audit(link.node_id, "session superseded", places)
        if visit.joined:
            self._put(Left(link.node_id))

    # ---- what the operator decided --------------------------------------------------------------

    def approved(self, node_id: bytes) -> None:
        """A pending node was enrolled: it may join at once if it is here."""
        visit = self.visits.get(node_id)
        if visit is not None and visit.link.ready:
            self._join(visit)

    def revoked(self, node_id: bytes, *, was_pending: bool = False) -> None:
        """The node is out, whatever it was doing."""
        verb = "rejected" if was_pending else "revoked"
        self._put_out(node_id, f"{verb} by the coordinator's operator")
        visit = self.visits.get(node_id)
        if visit is not None:
            visit.link.close(CloseCode.REVOKED, f"the coordinator's operator {verb} this node")

    def evicted(self, node_id: bytes) -> bool:
        """The node is out of the round under way, and may come back; False if it is not here."""
        visit = self.visits.get(node_id)
        if visit is None:
            return False
        self._put_out(node_id, "put out of the round by the coordinator's operator")
        text = "the coordinator's operator put this node out of the round; it may come back"
        visit.link.close(CloseCode.LIMIT, text, retryable=True, retry_after_s=EVICTED_S)
        self._audit(node_id, "node evicted", "by the operator", alarm=False)
        return True

    def _put_out(self, node_id: bytes, why: str) -> None:
        self._put(Left(node_id, for_good=True, why=why))
        visit = self.visits.get(node_id)
        if visit is not None:
            visit.joined = False

    def send(self, node_id: bytes, message: FromCoordinator) -> None:
        """Queue a message for a node that has joined; dropped if it is away."""
        visit = self.visits.get(node_id)
        if visit is not None and visit.joined:
            visit.link.send(message)

    def _join(self, visit: Visit) -> None:
        member = self._house.store.roster.get(visit.link.node_id)
        if member is None or member.state != "enrolled" or visit.joined:
            return
        certificate = Certificate(
            self._house.store.federation_id,
            visit.link.identity,
            member.role,
            self._house.store.incarnation,
        )
        visit.link.send(enrol(self._house.identity, certificate))
        visit.joined = True
        self._put(
            Joined(
                visit.link.node_id,
                member.role,
                keys=visit.link.identity,
                not_before=certificate.not_before,
                declared=visit.declared,
            )
        )

    # ---- what nodes say -------------------------------------------------------------------------

    def event(self, link: NodeLink, event: SessionEvent) -> None:
        """See Gate.event."""
        visit = self.visits.get(link.node_id)
        if visit is None or visit.link is not link:
            return
        match event:
            case Readied(declared=declared):
                visit.declared = declared
                self._join(visit)
            case MessageReceived(message=message) if isinstance(message, FromNode):
                self._said(visit, message)
            case _:
                self._on_stream(visit, event)

    def _on_stream(self, visit: Visit, event: SessionEvent) -> None:
        link = visit.link
        match event:
            case StreamOpened(opening=opening):
                if self._allows(visit, kind_of(opening)):
                    self._arrivals.opened(link, opening)
                else:
                    text = "this node may not send this now"
                    link.refuse(opening.stream, CloseCode.UNAUTHORISED, text=text)
            case StreamComplete(stream=stream):
                self._arrivals.complete(link, stream)
            case StreamFailed(stream=stream, outgoing=False) | StreamCancelled(stream=stream):
                self._arrivals.gone(link, stream)
            case StreamReceipt(stream=stream):
                if (sent := visit.streams.pop(stream, None)) is not None:
                    self._house.savings.served(sent.kind, sent.num_bytes)
            case StreamRefused(stream=stream) | StreamFailed(stream=stream):
                visit.streams.pop(stream, None)
            case _:
                pass

    def _said(self, visit: Visit, message: FromNode) -> None:
        node_id = visit.link.node_id
        if not self._allows(visit, kind_of(message)):
            log.warning("message denied", node=node_id, kind=kind_of(message))
            return
        match message:
            case Fetch():
                self._fetch(visit, message)
            case Leaving():
                self._start(self._leave(visit))
            case RotateKey():
                self._start(self._rotate(visit, message))
            case _ if visit.joined:
                self._put(Said(node_id, message))
            case _:
                pass

    def _allows(self, visit: Visit, kind: str) -> bool:
        return self._house.store.roster.allows(visit.link.node_id, kind, self._phase())

    def _state(self, visit: Visit) -> str:
        member = self._house.store.roster.get(visit.link.node_id)
        return member.state if member is not None else "unknown"

    def _fetch(self, visit: Visit, message: Fetch) -> None:
        """Open the stream that was asked for, unless it is under way already."""
        library = self._house.library
        if message.kind == "plan":
            found = library.plan() if message.digest == self._house.plan_hash else None
        else:
            try:
                found = library.model(message.digest, message.have)
            except StoreFatal as error:
                self._fatal(error)
                return
            except StoreError as error:
                log.warning("model not served", text=str(error))
                return
        if found is None or found[0].digest in {one.digest for one in visit.streams.values()}:
            return
        stream = visit.link.open_stream(*found)
        if stream is not None:
            visit.streams[stream] = found[0]

    async def _leave(self, visit: Visit) -> None:
        await self._house.store.leave(visit.link.node_id)
        visit.joined = False
        self._put(Left(visit.link.node_id, for_good=True))
        log.info("left for good", node=visit.link.node_id)
        visit.link.close(CloseCode.BYE, "goodbye")

    async def _rotate(self, visit: Visit, message: RotateKey) -> None:
        """New keys for the same node: it goes on under its new id in its next session.

        The old id is out at once, as if revoked: a round under way treats it as a dropout. A
        statement that does not hold is audited and ends the session.
        """
        link, store = visit.link, self._house.store
        try:
            statement = codec.decode(message.statement, rotation.Rotation)
            last_seq = await self._last_rotation(link.node_id)
            successor = rotation.verify(statement, link.identity, last_seq=last_seq)
            await store.rotate(link.node_id, successor, statement=message.statement)
        except (ChannelError, StoreConflict) as error:
            log.warning("key rotation refused", node=link.node_id, text=str(error))
            link.close(CloseCode.PROTOCOL, f"this key rotation is refused: {error}")
            self._audit(link.node_id, "key rotation refused", str(error))
            return
        log.info("key rotated", node=link.node_id, to=successor.id)
        visit.joined = False
        self._put(Left(link.node_id, for_good=True))
        link.send(Rotated(new_id=successor.id))
        link.close(
            CloseCode.BYE, "the key was rotated: come back with the new one", retryable=True
        )
        newest = self.visits.get(link.node_id)
        if newest is not None and newest is not visit:
            newest.link.close(*_HANDED_OVER)

    async def _last_rotation(self, node_id: bytes) -> int:
        """The number of the rotation that led to this identity; 0 if it is the node's first."""
        kept = await self._house.store.rotation_to(node_id)
        return codec.decode(kept, rotation.Rotation).handover.seq if kept is not None else 0

    # ---- the audit chain ------------------------------------------------------------------------

    def _refused(self, link: NodeLink, code: CloseCode, why: str) -> None:
        """A stream was refused: for being late (LIMIT), or for what it is."""
        log.info("update refused", node=link.node_id, reason=why)
        self.unfit[link.node_id] += code is not CloseCode.LIMIT
        self._audit(link.node_id, "update refused", why, alarm=code is not CloseCode.LIMIT)

    def _audit(self, node_id: bytes, action: str, detail: str, *, alarm: bool = True) -> None:
        """Tell the audit chain, unless it heard the same of this node a moment ago."""
        now = asyncio.get_running_loop().time()
        for key, at in tuple(self._audited.items()):
            if now - at < AUDIT_EVERY_S:
                break
            del self._audited[key]
        if (node_id, action) in self._audited:
            return
        self._audited[node_id, action] = now
        node = f"node {short_id(node_id)}"
        if alarm and self.on_alarm is not None:
            self.on_alarm(action, f"{self._name(node_id)}: {action}: {detail}")
        entry = Audited(actor=node, action=action, object=node, detail=detail)
        self._start(self._house.store.commit([entry]))

    def _name(self, node_id: bytes) -> str:
        member = self._house.store.roster.get(node_id)
        return (member.label if member is not None else "") or f"node {short_id(node_id)}"

    # ---- tasks ----------------------------------------------------------------------------------

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except StoreFatal as error:
            self._fatal(error)
        except StoreError as error:
            log.warning("not stored", text=str(error))

    async def finish(self) -> None:
        """Wait for what is under way."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5.0)


def _gone(member: Member) -> tuple[CloseCode, str]:
    """Why a node with this id cannot come in any more."""
    if member.state == "rotated":
        return _HANDED_OVER
    return CloseCode.REVOKED, "this identity was revoked, or has left for good"


def _enrolment(identity: PublicIdentity, hello: ClientHello, address: str) -> Enrolment:
    invite = hello.invite
    return Enrolment(
        identity=identity,
        label=safe_label(hello.label),
        role=hello.role,
        address=address,
        invite_id=invite.invite_id if invite is not None else None,
        secret_hash=secret_hash(invite.secret) if invite is not None else None,
    )
