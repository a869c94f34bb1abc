"""Membership: from a connection to a node that may take work, and back.

    connected -> terms here or fetched -> plan refused | asking | consented -> ready
              -> enrolled (certificate checked) -> rounds run in a NodeService

Nothing but the request for the plan leaves this node before its operator's consent to exactly that
plan is on disk. It hears the link (LinkHandler) and tells the board; it does not dial.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from fedtui import __version__, status
from fedtui.errors import CloseCode, IdentityMismatchError, KeyFileError, RemoteProtocolError
from fedtui.rounds import machine
from fedtui.rounds.phases import Phase
from fedtui.telling.showing import Facts, line, lost
from fedtui.wire import events
from fedtui.wire.halves import NodeHello
from fedtui.wire.labels import safe_label
from fedtui.wire.messages import Enrolled, FromCoordinator, Leaving, Rotated, RotateKey
from node import beginning, belonging, watching
from node.budget import REMEDY, BudgetError
from node.consenting import Consenting
from node.dial import NO_CONNECTION
from node.exits import REMEDIES
from node.lookback import Lookback
from node.masked_rounds import Parties
from node.transfers import Hears, Transfers
from node.work import Hears as Heard
from node.work import Places, Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedtui.wire.invite import InviteProof
    from fedtui.wire.messages import FromNode, Welcome
    from node.config import NodeConfig
    from node.home import Connection, Home
    from node.jobs import DataSeen, Judged, Progress
    from node.link import Drop
    from node.service import NodeService


class Membership:
    """One federation as this node lives it; a new one is made for each `join`."""

    def __init__(
        self,
        home: Home,
        config: NodeConfig,
        *,
        on_new_key: Callable[[], None] = lambda: None,
        paused: str = "",
        resting: str = "",
    ) -> None:
        """`on_new_key` is called when this node's key was rotated: begin anew with the new one.

        `paused` and `resting` say why the node takes no part from the start; see `pause`, `rest`.
        """
        self._home = home
        self._on_new_key = on_new_key
        self._board = home.board
        self._config = config
        self._link: Connection | None = None
        self._welcome: Welcome | None = None
        self._lookback = Lookback(home)
        self._lookback.show()
        self._consenting = Consenting(home, config)
        self._service: NodeService | None = None
        self._enrolled = False
        self._offline = f"connecting to {self._address}"
        self._asking = ""
        self._stopped = ""
        self._done = False
        self._closing: asyncio.Task[None] | None = None
        self._paused = paused
        self._resting = resting
        hears = Hears(
            plan=self._on_plan,
            model=self._on_model,
            uploaded=lambda digest: self._step(machine.UpdateAcknowledged(digest)),
            refused=lambda reason: self._step(machine.UpdateRefused(safe_label(reason, 200))),
            unsent=lambda reason, lost: self._step(machine.UploadFailed(reason, lost)),
            lost=self._on_model_lost,
            trouble=partial(self._board.log, "warning"),
            saved=partial(self._board.log, "info"),
        )
        self._transfers = Transfers(models=home.models, updates=home.updates, hears=hears)
        self._work = Work(
            trainer=home.trainer,
            places=Places(home.models, home.updates, home.profile.tasks),
            tell=self._step,
            hears=Heard(
                progress=self._on_progress,
                judged=self._on_judged,
                drifted=lambda told: self._board.post(watching.drift_seen(told)),
                data=self._on_data,
                checked=self._consenting.checked,
                noticed=lambda words: self._board.log("warning", safe_label(words, 400), "train"),
                failed=lambda words: self._board.log("error", safe_label(words, 400), "train"),
            ),
        )
        self._tools = beginning.Tools(
            transfers=self._transfers,
            work=self._work,
            lookback=self._lookback,
            totals=self._totals,
            say=self._say,
            changed=self.show,
            over=self._over,
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

    async def check(self) -> status.CheckReport:
        return await self._work.check(self._consenting.agreement, self._config)

    def agree(self, plan_hash: str) -> None:
        """The operator consents. Durable before the coordinator hears of it."""
        self._consenting.agree(plan_hash)
        self._consider()
        self._go_on()

    def pause(self, sentence: str) -> None:
        """Take no part, because the operator said so; the sentence is shown."""
        self._paused = sentence
        self._step(machine.LocalOperator("pause"))
        self.show()

    def resume(self) -> None:
        """The operator lets the node go on; it does as soon as its limits let it."""
        self._paused = ""
        if self._service is not None:
            self._service.allow()
        self._go_on(anyway=True)
        self.show()

    def rest(self, reason: str) -> None:
        """Take no part for this reason, one of the operator's limits; "" ends that."""
        was, self._resting = bool(self._resting), reason
        if "used up" in reason and not was:
            self._board.alarm("budget", reason, remedy="fedtui limit --upload-per-day MB")
        if reason and not was and not self._paused:
            self._step(machine.LocalOperator("pause"))
        elif was and not reason:
            self._go_on()
        self.show()

    def limit(self, limits: status.Limits) -> None:
        """Go on under other limits."""
        self._config = msgspec.structs.replace(self._config, limits=limits)
        if self._service is not None:
            self._service.use_config(self._config)

    @property
    def at_work(self) -> bool:
        """Whether it works for a round now."""
        return self._service is not None and self._service.participant.work is not None

    @property
    def next_bytes(self) -> int:
        """What the next round would add to the ledger; 0 if that is unknown, or nothing."""
        if self._service is None or self._config.role != "participant":
            return 0
        return self._consenting.agreement.upload_bytes

    @property
    def enrolled(self) -> bool:
        """Whether the coordinator has us among its nodes, in this session."""
        return self._enrolled

    def rotate(self) -> None:
        """Tell the coordinator of the key's successor, if there is one and it listens now."""
        if self._enrolled and self._home.key.successor is not None:
            self._say(RotateKey(statement=self._home.key.statement()))

    def leave(self) -> None:
        """Tell the coordinator, if it can be told, and forget the consent."""
        if self._service is not None:
            self._service.step(machine.LocalOperator("leave"))
        elif self._link is not None:
            self._link.send(Leaving(reason="its operator left"))
        self._home.updates.drop()
        self._consenting.withdraw()

    def withdraw(self) -> None:
        """The consent is taken back: what is under way is dropped, and the coordinator told."""
        self._consenting.withdraw()
        self._step(machine.LocalOperator("pause"))
        self._home.updates.drop()

    def refresh(self) -> None:
        """Called once a second while somebody watches."""
        if self._service is not None:
            self._service.refresh()

    def done(self) -> None:
        """From now on the end of the connection is no news."""
        self._done = True

    async def close(self) -> None:
        """End quietly: no more jobs, no more streams; what still comes is not heard.

        The trainer is free for whoever comes next when this returns.
        """
        self._close_service()
        self._lookback.close()
        self._link = None
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
        if self._board.status.offline_since:
            self._board.post(status.LinkLost())
        self._link.use_hello(self.hello())
        try:
            self._follow(self._link)
        except (KeyFileError, IdentityMismatchError) as error:
            self._refuse(str(error), CloseCode.IDENTITY_MISMATCH)
            return
        belonging.pin(self._home, self._link, self._config.coordinator.addresses)
        self._transfers.attach(self._link)
        if self._consenting.expect(welcome.plan_hash):
            self._consider()
        else:
            self._transfers.fetch_plan(welcome.plan_hash)
        self.show()

    def event(self, event: events.SessionEvent) -> None:
        match event:
            case events.MessageReceived(message=Enrolled() as message):
                self._on_enrolled(message)
            case events.MessageReceived(message=Rotated() as message):
                self._on_rotated(message)
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
        if not self._done:
            gone = lost(self._board.status, self._home.clock(), retry_in_s)
            self._board.post(gone)
        if self._done:
            pass
        elif drop.code == CloseCode.ROTATED and retry_in_s is None and self._has_successor:
            self._adopt()  # we were cut off, or killed, before we heard that it was done
        elif retry_in_s is None:
            if drop.code == CloseCode.IDENTITY_MISMATCH:
                belonging.other_key(self._home, drop.text)
            self._stop(drop.text, remedy=self._remedy(drop.code), code=drop.code)
        else:
            named = drop.text.startswith(NO_CONNECTION)
            text = drop.text if named else f"{NO_CONNECTION}{self._address}: {drop.text}"
            self._offline = f"{text}; trying again"
            if drop.code != CloseCode.BYE:
                self._board.problem(drop.text, remedy="it is tried again", code=drop.code)
        self.show()

    # ---- plan and enrolment -------------------------------------------------------------------

    def _on_plan(self, data: bytes) -> None:
        if self._welcome is None:
            return
        try:
            self._consenting.received(data, self._welcome.plan_hash)
        except RemoteProtocolError as error:
            self._refuse(str(error), CloseCode.PROTOCOL)
            return
        self._consider()

    def _consider(self) -> None:
        """Refuse the plan, ask about it, or go on under it."""
        verdict = self._consenting.verdict()
        self._asking = verdict.asking
        if verdict.refused:
            self._refuse(verdict.refused, None)
        elif not verdict.asking and self._welcome is not None and self._link is not None:
            plan_hash = self._consenting.agreement.plan_hash
            federation_id = self._welcome.federation_id
            if self._service is not None and not self._service.is_under(plan_hash, federation_id):
                self._close_service()
            belonging.claim_models(self._home, self._link, federation_id)
            self._lookback.show()
            self._link.ready(plan_hash, self._consenting.declared)
        self.show()

    def _on_enrolled(self, message: Enrolled) -> None:
        if self._link is None or self._welcome is None or self._link.coordinator is None:
            return
        parties = Parties(
            federation_id=self._welcome.federation_id,
            signer=self._home.identity,
            coordinator=self._link.coordinator,
        )
        reason, remedy = beginning.refuses(message, parties, self._config)
        if reason:
            self._refuse(reason, None, remedy=remedy)
            return
        self._welcome = msgspec.structs.replace(self._welcome, state="enrolled")
        if not self._enrolled:
            self._enrolled = True
            self._board.log("ok", f"enrolled as {message.role}", "link")
        if self._service is None:
            try:
                self._service = beginning.begin_service(
                    self._home,
                    self._config,
                    self._consenting.agreement,
                    parties,
                    self._tools,
                    paused=bool(self._paused or self._resting),
                )
            except OSError as error:
                reason = f"the node's journal cannot be opened: {error.strerror or error}"
                self._board.alarm("disk", reason, remedy="mend the disk")
                self._refuse(reason, None, remedy="mend the disk, then: fedtui join")
                return
            except BudgetError as error:
                self._refuse(str(error), None, remedy=REMEDY)
                return
        self._service.step(machine.Connected())
        self.rotate()

    def _on_rotated(self, message: Rotated) -> None:
        successor = self._home.key.successor
        if successor is not None and successor.id == message.new_id:
            self._adopt()

    def _adopt(self) -> None:
        """Become the successor; what was under way in the old name is over."""
        try:
            self._home.key.adopt(self._home.clock())
        except (OSError, KeyFileError) as error:
            self._stop(
                f"the node's new key cannot be put in place: {error}",
                remedy="mend the disk, then: fedtui join",
                code=0,
            )
            return
        self._home.updates.drop()
        self.done()
        self._on_new_key()

    # ---- small parts --------------------------------------------------------------------------

    @property
    def _address(self) -> str:
        addresses = self._config.coordinator.addresses
        return addresses[0] if addresses else "the coordinator"

    @property
    def _has_successor(self) -> bool:
        return self._home.key.successor is not None

    def _remedy(self, code: int) -> str:
        if code == CloseCode.PROTOCOL and self._has_successor:
            return (
                "the coordinator may have refused this node's key rotation: to give it up, move "
                "identity.key.next away, then: fedtui stop, fedtui join"
            )
        return REMEDIES.get(code, "")

    def _follow(self, link: Connection) -> None:
        """What leaves goes to another receiver once the coordinator handed over to a new key."""
        config = belonging.follow(self._home, link, self._config)
        if config is not self._config:
            self._config = config
            self._close_service()

    def _close_service(self) -> None:
        if self._service is not None:
            self._service.close()
        self._service = None

    def _on_model(self, digest: bytes) -> None:
        if self._service is not None:
            self._service.model_here(digest)

    def _on_model_lost(self, digest: bytes, reason: str) -> None:
        self._board.problem(reason, remedy="look at 'fedtui log' and at this machine's disk")
        if self._service is not None:
            self._service.model_lost(digest, reason)

    def _totals(self) -> tuple[int, int]:
        return (0, 0) if self._link is None else self._link.totals()

    def _go_on(self, *, anyway: bool = False) -> None:
        """Take part again, if nothing is in the way of it; the machine hears of it if it did not.

        `anyway`: it hears of it in any case, for then it forgets what made it decline.
        """
        service = self._service
        if service is None or self._paused or self._resting or self._asking:
            return
        if anyway or service.participant.paused:
            self._step(machine.LocalOperator("resume"))

    def _on_data(self, data: DataSeen) -> str:
        """The trainer read this node's examples; if they are others, the node sits out."""
        why = self._consenting.read(data)
        if why and not self._asking:
            self._asking = self._consenting.verdict().asking
            asyncio.get_running_loop().call_soon(self._step, machine.LocalOperator("pause"))
            self.show()
        return why

    def _on_judged(self, number: int, judged: Judged) -> str:
        return "" if self._service is None else self._service.judged(number, judged)

    def _over(self) -> None:
        """The federation is over and its model is here: let go of link and trainer."""
        self._board.post(status.FederationEnded())
        self.done()
        loop = asyncio.get_running_loop()
        if self._link is not None:
            loop.call_soon(self._link.stop)
        self._closing = loop.create_task(self._home.trainer.close())

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
        facts = Facts(
            joined=bool(self._config.coordinator.id),
            stopped=self._stopped,
            offline=self._offline,
            asking=self._asking or ("" if self._consenting.has_plan else "receiving the plan"),
            pending=self._welcome is not None and self._welcome.state == "pending",
            entering=not self._enrolled,
            paused=self._paused,
            resting=self._resting,
            phase=service.participant.phase if service else Phase.IDLE,
            round=service.participant.number if service else 0,
            waiting=self._board.status.waiting,
            coordinator_paused=service.coordinator_paused if service else False,
            ended=service.ended if service else "",
        )
        self._board.state(*line(facts))
