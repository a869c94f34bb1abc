"""Membership: from a connection to a node that may take work, and back.

    connected -> terms here or fetched -> plan refused | asking | consented -> ready
              -> enrolled (certificate checked) -> rounds run in a NodeService

Nothing but the request for the plan leaves this node before its operator's consent to exactly that
plan is on disk. It hears the link (LinkHandler) and tells the board; it does not dial.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from fedtui import __version__, status
from fedtui.crypto.keys import fingerprint
from fedtui.errors import CloseCode, RemoteProtocolError
from fedtui.rounds import enrolment, machine
from fedtui.rounds import plan as plans
from fedtui.rounds.participant import Phase
from fedtui.wire import events
from fedtui.wire.halves import NodeHello
from fedtui.wire.labels import safe_label
from fedtui.wire.messages import Enrolled, FromCoordinator, Leaving
from node import consent, policy, terms
from node.consent import Consent
from node.exits import REMEDIES, Exit, Stop
from node.service import Contract, NodeService, Parts
from node.showing import Facts, line
from node.transfers import Hears, Session, Transfers
from node.work import Places, Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedtui.crypto.keys import Identity, PublicIdentity
    from fedtui.wire.messages import FromNode, InviteProof, ServerHello, Welcome
    from node.board import Board
    from node.config import NodeConfig
    from node.jobs import Progress
    from node.keystore import TrustStore
    from node.ledger import Ledger
    from node.link import Drop
    from node.meter import Traffic
    from node.models import Models
    from node.paths import Profile
    from node.trainer import Trainer
    from node.updates import Updates


class Connection(Session, Protocol):
    """What is needed of a Link (node/link.py); benchmarks and tests may bring another."""

    coordinator: PublicIdentity | None
    server_hello: ServerHello | None

    def ready(self, plan_hash: bytes) -> bool: ...

    def use_hello(self, hello: NodeHello) -> None: ...

    def reconnect(self, text: str = ...) -> None: ...

    def stop(self, text: str = ...) -> None: ...

    def traffic(self, now: float) -> Traffic: ...

    async def run(self) -> object: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """What belongs to this node, whatever it is a member of. `clock` gives UTC seconds."""

    profile: Profile
    identity: Identity
    trust: TrustStore
    board: Board
    ledger: Ledger
    models: Models
    updates: Updates
    trainer: Trainer
    clock: Callable[[], float]


class Membership:
    """One federation as this node lives it; a new one is made for each `join`."""

    def __init__(self, home: Home, config: NodeConfig) -> None:
        self._home = home
        self._board = home.board
        self._config = config
        self._link: Connection | None = None
        self._welcome: Welcome | None = None
        self._offered: tuple[terms.Agreement, bytes] | None = None
        self._consent = consent.load(home.profile.consent)
        self._service: NodeService | None = None
        self._enrolled = False
        self._offline = f"connecting to {self._address}"
        self._asking = ""
        self._stopped = ""
        self._done = False
        self._paused_mark = home.profile.root / "paused"
        self._paused = self._paused_mark.exists()
        hears = Hears(
            plan=self._on_plan,
            model=self._on_model,
            uploaded=lambda digest: self._step(machine.UpdateAcknowledged(digest)),
            refused=lambda reason: self._step(machine.UpdateRefused(safe_label(reason, 200))),
            trouble=self._board.problem,
        )
        self._transfers = Transfers(models=home.models, updates=home.updates, hears=hears)
        self._work = Work(
            trainer=home.trainer,
            places=Places(home.models, home.updates, home.profile.tasks),
            tell=self._step,
            on_progress=self._on_progress,
        )
        self.show()

    # ---- what the operator asks for -----------------------------------------------------------

    def hello(self, invite: InviteProof | None = None) -> NodeHello:
        """What this node says of itself; the invite only until the coordinator has taken it."""
        return NodeHello(
            label=self._config.label,
            role=self._config.role,
            software=f"fedtui {__version__}",
            invite=invite,
        )

    def use(self, link: Connection) -> None:
        """Speak over this link; its events come here."""
        self._link = link

    @property
    def agreement(self) -> terms.Agreement:
        """The plan at hand, consented to or not. Raises Stop if there is none."""
        if self._offered is None:
            raise Stop(
                "the coordinator's plan is not here yet",
                remedy="wait until 'fedtui status' shows it",
                exit_code=Exit.UNREACHABLE,
            )
        return self._offered[0]

    async def check(self) -> status.CheckReport:
        return await self._work.check(self.agreement, self._config)

    def agree(self, plan_hash: str) -> None:
        """The operator consents. Durable before the coordinator hears of it."""
        agreement = self.agreement
        if plan_hash != agreement.plan_hash.hex():
            raise Stop(
                f"you accept plan {plan_hash}, the coordinator has {agreement.plan_hash.hex()}",
                remedy="read the plan with 'fedtui join' and decide anew",
                exit_code=Exit.REFUSED,
            )
        refusal = policy.refuses_plan(agreement.facts, self._config)
        if refusal:
            raise Stop(refusal, exit_code=Exit.REFUSED)
        given = Consent(
            plan_hash=plan_hash,
            coordinator_id=self._config.coordinator.id,
            at=self._home.clock(),
            visible_updates=agreement.facts.visible_updates,
            leaves=terms.summary(agreement, label=self._config.label).leaves,
            data_path=self._config.data.path,
        )
        consent.save(self._home.profile.consent, given)
        self._consent = given
        self._board.log("info", f"you agreed to plan {plan_hash[:16]}")
        self._board.solved()
        self._consider()

    def pause(self) -> None:
        self._paused_mark.touch(mode=0o600)
        self._paused = True
        self._step(machine.LocalOperator("pause"))
        self.show()

    def resume(self) -> None:
        self._paused_mark.unlink(missing_ok=True)
        self._paused = False
        self._step(machine.LocalOperator("resume"))
        self.show()

    def leave(self) -> None:
        """Tell the coordinator, if it can be told, and forget the consent."""
        if self._service is not None:
            self._service.step(machine.LocalOperator("leave"))
        elif self._link is not None:
            self._link.send(Leaving(reason="its operator left"))
        self._home.updates.drop()
        consent.withdraw(self._home.profile.consent)
        self._paused_mark.unlink(missing_ok=True)

    def finish(self) -> None:
        """Nothing is left to do here: say goodbye once what is queued was said."""
        self._done = True
        if self._link is not None:
            asyncio.get_running_loop().call_soon(self._link.stop)

    async def close(self) -> None:
        """End quietly: no more jobs, no more streams."""
        if self._service is not None:
            self._service.close()
        self._transfers.detach()
        self._work.cancel()
        await self._home.trainer.cancel()

    # ---- what the link says (LinkHandler) -----------------------------------------------------

    def connected(self, welcome: Welcome) -> None:
        if self._link is None:
            return
        self._welcome = welcome
        self._enrolled = False
        self._offline = ""
        self._board.solved()
        self._link.use_hello(self.hello())
        self._pin(self._link)
        self._transfers.attach(self._link)
        kept = terms.load(self._home.profile.terms, welcome.plan_hash)
        if kept is None:
            self._offered = None
            self._transfers.fetch_plan(welcome.plan_hash)
        else:
            self._offered = (kept, b"")
            self._consider()
        self.show()

    def event(self, event: events.SessionEvent) -> None:
        match event:
            case events.MessageReceived(message=Enrolled() as message):
                self._on_enrolled(message)
            case events.MessageReceived(message=message) if self._service is not None:
                if isinstance(message, FromCoordinator):
                    self._service.heard(message)
            case events.MessageReceived() | events.ErrorReported() | events.SessionEnded():
                pass
            case _:
                self._transfers.event(event)
        self.show()

    def disconnected(self, drop: Drop, retry_in_s: float | None) -> None:
        """There is no session; if the link gave up, a person must act."""
        self._enrolled = False
        self._transfers.detach()
        self._step(machine.Disconnected())
        self._board.post(status.WaitingFor(waiting=None))
        if self._done:
            pass
        elif retry_in_s is None:
            self._stop(drop.text, remedy=REMEDIES.get(drop.code, ""), code=drop.code)
        else:
            self._offline = f"no connection to {self._address}: {drop.text}; trying again"
            if drop.code != CloseCode.BYE:
                self._board.problem(drop.text, remedy="it is tried again", code=drop.code)
        self.show()

    # ---- plan and enrolment -------------------------------------------------------------------

    def _on_plan(self, data: bytes) -> None:
        if self._welcome is None:
            return
        try:
            agreement = terms.read(data, self._welcome.plan_hash)
        except RemoteProtocolError as error:
            self._refuse(str(error), CloseCode.PROTOCOL)
            return
        self._offered = (agreement, data)
        self._consider()

    def _consider(self) -> None:
        """Refuse the plan, ask about it, or go on under it."""
        if self._offered is None:
            return
        agreement, data = self._offered
        conflicts = plans.check(agreement.plan)
        refusal = policy.refuses_plan(agreement.facts, self._config)
        missing = policy.lacks_consent(agreement.facts, self._consent)
        self._show_plan(agreement, consented=not missing)
        if conflicts or refusal:
            self._refuse(refusal or f"the plan contradicts itself: {conflicts[0]}", None)
            return
        self._asking = f"{missing}: fedtui join" if missing else ""
        if missing:
            if self._consent is not None:
                self._board.problem(missing, remedy="read it and decide: fedtui join")
            self.show()
            return
        if data:
            terms.save(self._home.profile.terms, data)
            self._offered = (agreement, b"")
        if self._service is not None and not self._service.is_under(agreement.plan_hash):
            self._service.close()
            self._service = None
        if self._link is not None and self._welcome is not None:
            self._link.ready(self._welcome.plan_hash)
        self.show()

    def _show_plan(self, agreement: terms.Agreement, *, consented: bool) -> None:
        differs: tuple[str, ...] = ()
        if not consented and self._consent is not None:
            before = terms.load(self._home.profile.terms)
            differs = terms.differences(before.plan, agreement.plan) if before else ()
        summary = terms.summary(agreement, label=self._config.label, differs=differs)
        self._board.post(status.PlanSeen(plan=summary, consented=consented))

    def _on_enrolled(self, message: Enrolled) -> None:
        if self._link is None or self._welcome is None or self._link.coordinator is None:
            return
        certificate = enrolment.Certificate(
            federation_id=self._welcome.federation_id,
            node=self._home.identity.public,
            role=message.role,
            not_before=message.not_before,
        )
        if not enrolment.verify(self._link.coordinator, certificate, message.signature):
            self._refuse("the coordinator's certificate for this node is not genuine", None)
            return
        if message.role != self._config.role:
            self._refuse(
                f"the coordinator enrolled this node as {message.role}, you asked for "
                f"{self._config.role}",
                None,
                remedy=f"if you agree: fedtui join --role {message.role}",
            )
            return
        if not self._enrolled:
            self._enrolled = True
            self._board.log("info", f"enrolled as {message.role}")
        if self._service is None:
            self._service = self._begin_service()
        self._service.step(machine.Connected())

    def _begin_service(self) -> NodeService:
        parts = Parts(
            board=self._board,
            ledger=self._home.ledger,
            models=self._home.models,
            updates=self._home.updates,
            transfers=self._transfers,
            work=self._work,
            clock=self._home.clock,
            say=self._say,
            changed=self.show,
        )
        contract = Contract(
            agreement=self.agreement,
            config=self._config,
            role=self._config.role,
            receiver=fingerprint(bytes.fromhex(self._config.coordinator.id)),
        )
        return NodeService(parts, contract, paused=self._paused)

    # ---- small parts --------------------------------------------------------------------------

    @property
    def _address(self) -> str:
        addresses = self._config.coordinator.addresses
        return addresses[0] if addresses else "the coordinator"

    def _pin(self, link: Connection) -> None:
        """Keep both keys of the coordinator that just proved the pinned id."""
        if link.coordinator is None or link.server_hello is None:
            return
        known = self._home.trust.get(link.coordinator.id)
        addresses = tuple(self._config.coordinator.addresses)
        label = safe_label(link.server_hello.federation)
        if known is None or (known.addresses, known.label) != (addresses, label):
            known = self._home.trust.pin(
                link.coordinator, addresses=addresses, label=label, now_s=self._home.clock()
            )
        pinned = status.Coordinator(
            label=known.label,
            address=self._address,
            fingerprint=fingerprint(known.id),
            pinned_at=known.first_seen_s,
        )
        if pinned != self._board.status.coordinator:
            self._board.post(status.CoordinatorPinned(coordinator=pinned))

    def _on_model(self, digest: bytes) -> None:
        if self._service is None:
            return
        self._service.model_here(digest)
        newest = self._home.models.certified()
        if self._service.ended and newest and newest[-1].digest == digest.hex():
            self._board.post(status.FederationEnded())
            self.finish()

    def _on_progress(self, progress: Progress) -> None:
        if self._service is not None:
            self._service.progressed(progress)

    def _step(self, event: machine.ParticipantEvent) -> None:
        if self._service is not None:
            self._service.step(event)

    def _say(self, message: FromNode) -> None:
        if self._link is not None:
            self._link.send(message)

    def _refuse(self, reason: str, code: CloseCode | None, *, remedy: str = "") -> None:
        self._stop(reason, remedy=remedy, code=int(code or 0))
        if self._link is not None:
            asyncio.get_running_loop().call_soon(self._link.stop, "the node does not go on")

    def _stop(self, reason: str, *, remedy: str, code: int) -> None:
        """Hold still until a person acts; what was said first stays."""
        if not self._stopped:
            self._stopped = reason
            self._board.problem(reason, remedy=remedy, code=code)

    def show(self) -> None:
        """Bring the state and its sentence up to date."""
        service = self._service
        work = service.participant.work if service else None
        facts = Facts(
            joined=bool(self._config.coordinator.id),
            stopped=self._stopped,
            offline=self._offline,
            asking=self._asking or ("" if self._offered else "receiving the plan"),
            pending=not self._enrolled,
            paused=self._paused,
            phase=service.participant.phase if service else Phase.IDLE,
            round=work.round if work else 0,
            waiting=self._board.status.waiting,
            coordinator_paused=service.coordinator_paused if service else False,
            ended=service.ended if service else "",
        )
        self._board.state(*line(facts))
