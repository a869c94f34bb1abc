"""Node: what the control socket can ask of this daemon, carried out (fedtui.status.NodeControls).

It owns the link and at most one Membership. `join` reads node.toml again and starts both anew, so
there is one way in, whether the daemon just started, moved, or was given other limits.
"""

from __future__ import annotations

import asyncio
import traceback
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol

import msgspec

from fedtui import status
from fedtui.crypto.keys import fingerprint
from fedtui.errors import FedtuiError
from fedtui.status import InviteSeen
from fedtui.wire.invite import Invite, InviteProof
from fedtui.wire.labels import safe_label
from node import choices, entering, history
from node import config as configs
from node.exits import Exit, Stop
from node.lookout import Lookout
from node.membership import Membership
from node.probing import Probes
from node.readings import Readings
from node.spoken import Spoken
from node.steering import Steering
from node.trainer import TrainerLimits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fedtui.status import (
        CheckReport,
        FoundCoordinator,
        LedgerLine,
        Limits,
        LogLine,
        NodeStatus,
        PastRound,
        ProbedCoordinator,
        Setup,
    )
    from fedtui.wire.halves import NodeHello
    from node.config import NodeConfig
    from node.home import Connection, Home

GOODBYE_S = 3.0
CUT_S = 0.25  # nobody is waited for: the socket is gone already
ROTATE_S = 30.0


class Dial(Protocol):
    """Makes the link to a coordinator; `handler` hears it. Nothing is dialled before `run()`."""

    def __call__(
        self, config: NodeConfig, hello: NodeHello, handler: Membership
    ) -> Connection: ...


class Node:
    """One profile's daemon, without its process: several may live in one (benchmarks)."""

    def __init__(self, home: Home, dial: Dial) -> None:
        self._home = home
        self._dial = dial
        self._board = home.board
        self._membership: Membership | None = None
        self._link: Connection | None = None
        self._running: asyncio.Task[object] | None = None
        self._readings = Readings(home)
        self._reading: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()  # one connection is ended and begun at a time
        self._new_key = asyncio.Event()
        self._lookout = Lookout(home.profile.root.parent)
        self._probes = Probes()
        self._restarting: asyncio.Task[None] | None = None
        self._steering = Steering(home, member=lambda: self._membership, leave=self._leave_soon)
        self._leaving: asyncio.Task[None] | None = None
        self._num_cuts = 0
        self._spoken = Spoken(home)
        self.stopped = asyncio.Event()

    async def start(self) -> None:
        """Take up the federation that node.toml names, if any."""
        self._readings.machine()
        self._reading = asyncio.create_task(self._readings.run())
        ledger = self._home.ledger
        lines = tuple(entry.line() for entry in ledger.tail(status.MAX_TAIL))
        for line in lines:
            self._board.post(status.LedgerWritten(line=line))
        if ledger.torn_bytes or ledger.num_damaged:
            self._board.log(
                "warning",
                f"the ledger ended in a torn line ({ledger.torn_bytes} bytes, cut off: it was "
                f"never sent) and has {ledger.num_damaged} damaged lines",
            )
        config = configs.load(self._home.profile.config)
        self._steering.start()
        self._use(config.limits)
        self._show_coordinator(config)
        if not config.coordinator.id:
            return
        if self._home.trust.get(bytes.fromhex(config.coordinator.id)) is None:
            # a coordinator that never saw the invite knows no such node: 'join' brings it
            self._board.state("idle", "not in a federation yet: fedtui join, with the invite")
            return
        if self._steering.orders.cut:
            self._board.state("paused", self._steering.paused)
            return
        self._begin(config, None)

    async def close(self) -> None:
        """Say goodbye and let everything go."""
        self._steering.close()
        if self._restarting is not None:
            self._restarting.cancel()
        if self._reading is not None:
            self._reading.cancel()
        await self._lookout.close()
        await self._end()
        await self._home.trainer.close()
        self._home.ledger.close()

    # ---- NodeControls -------------------------------------------------------------------------

    async def status(self) -> NodeStatus:
        self._readings.traffic()
        return self._board.status

    async def watch(self) -> AsyncIterator[NodeStatus]:
        """The status now and after each change, for callers in this process."""
        changed = asyncio.Event()
        unlisten = self._board.listen(lambda _: changed.set())
        try:
            while True:
                yield self._board.status
                await changed.wait()
                changed.clear()
        finally:
            unlisten()

    async def join(self, invite: str = "") -> None:
        proof = None
        config = configs.load(self._home.profile.config)
        if invite:
            parsed = Invite.parse(invite)
            proof = InviteProof(invite_id=parsed.invite_id, secret=parsed.secret)
            trust = self._home.trust
            named = bytes.fromhex(config.coordinator.id)
            if trust.get(named) is None:  # in no federation: take up the one of the invite
                config = self._taken_up(config, parsed)
            elif trust.current_id(parsed.coordinator_id) != trust.current_id(named):
                raise Stop(
                    "the invite is of another coordinator than node.toml names",
                    remedy="fedtui join takes care of both",
                    exit_code=Exit.USAGE,
                )
        if not config.coordinator.id:
            raise Stop(
                "this node is in no federation",
                remedy="ask a coordinator's operator for an invite",
                exit_code=Exit.USAGE,
            )
        num_cuts = self._num_cuts
        async with self._changing:
            await self._end()
            if num_cuts != self._num_cuts:
                raise Stop("you stopped sharing meanwhile", remedy="fedtui resume")
            if self._steering.orders.cut:
                self._steering.order(cut=False)  # connected again, and still paused
            self._board.solved()
            self._begin(config, proof)

    async def check(self) -> CheckReport:
        return await self._member().check()

    async def consent(self, plan_hash: str) -> None:
        self._member().agree(plan_hash)

    async def withdraw(self) -> None:
        """The consent goes first; the next session begins without it, and so the node asks."""
        if not self._board.status.consented:
            raise Stop("there is no consent to take back", exit_code=Exit.USAGE)
        self._someone().withdraw()
        self._board.post(status.ReceiptKept(receipt=None))
        self._board.log("info", "you took your consent back: nothing leaves until you agree again")
        await asyncio.sleep(0)  # the writer takes what was queued before the goodbye
        async with self._changing:
            if self._link is not None:
                await self._end()
                self._begin(configs.load(self._home.profile.config), None)
            elif self._board.status.plan is not None:
                self._board.post(status.PlanSeen(plan=self._board.status.plan, consented=False))

    async def discover(self) -> tuple[FoundCoordinator, ...]:
        return await self._lookout.found()

    async def probe(self, address: str) -> ProbedCoordinator:
        return await self._probes.probe(address)

    async def read_invite(self, invite: str) -> InviteSeen:
        parsed = Invite.parse(invite)
        return InviteSeen(
            coordinator_id=parsed.coordinator_id.hex(),
            fingerprint=fingerprint(parsed.coordinator_id),
            addresses=tuple(safe_label(address, 128) for address in parsed.addresses),
            expires=float(parsed.expires),
        )

    async def setup(self, choice: Setup) -> None:
        path = self._home.profile.config
        configs.save(path, choices.with_setup(configs.load(path), choice))

    async def join_at(self, address: str, coordinator_id: str) -> None:
        found = self._probes.taken(address, coordinator_id)
        profile = self._home.profile
        config = configs.load(profile.config)
        entered = entering.with_verified(profile, config, found, now_s=self._home.clock())
        configs.save(profile.config, entered)
        await self.join()

    async def pause(self, until: float = 0.0) -> None:
        if until and until <= self._home.clock():
            raise Stop("that moment is over", remedy="name a later one", exit_code=Exit.USAGE)
        member = self._someone()
        try:
            self._steering.order(paused=True, until=until)
        finally:
            member.pause(self._steering.paused)

    async def stop_sharing(self) -> None:
        """Nothing is asked of anybody: the socket is reset, the trainer killed, then it is noted.

        Raises OSError if the pause is not on disk; what was to stop has stopped even then.
        """
        member = self._someone()
        self._num_cuts += 1
        if self._link is not None:
            self._link.cut()
        try:
            self._steering.order(paused=True, until=0.0, cut=True)
        finally:
            member.pause(self._steering.paused)
            await self._home.trainer.kill()
            self._home.updates.drop()
            async with self._changing:
                await self._end(within_s=CUT_S)
            self._board.state("paused", self._steering.paused)
            self._board.log("warning", "you stopped sharing: what was under way is discarded")

    async def limit(self, limits: Limits) -> None:
        today = datetime.fromtimestamp(self._home.clock(), UTC).astimezone().date().isoformat()
        trouble = configs.trouble_with(limits)
        if trouble is None and limits.leave_on and limits.leave_on < today:
            trouble = ("limits.leave_on", f"{limits.leave_on} is over")
        if trouble is not None:
            raise Stop(
                ": ".join(trouble), remedy="see 'fedtui limit --help'", exit_code=Exit.USAGE
            )
        path = self._home.profile.config
        configs.save(path, msgspec.structs.replace(configs.load(path), limits=limits))
        self._use(limits)

    async def retry(self) -> None:
        self._someone()
        if self._link is None or self._running is None or self._running.done():
            await self.join()
        elif self._link.connected:
            raise Stop("the coordinator is connected already", exit_code=Exit.USAGE)
        else:
            self._link.retry()

    async def acknowledge(self, alarm_id: int) -> None:
        if not any(alarm.id == alarm_id for alarm in self._board.status.alarms):
            raise Stop(f"there is no alarm {alarm_id}", exit_code=Exit.USAGE)
        self._board.post(status.AlarmSeen(id=alarm_id))

    async def history(self, limit: int = 100) -> tuple[PastRound, ...]:
        federation = self._home.models.owner.federation_id or None
        return history.rounds(self._home.profile.history, limit, federation=federation)

    async def words(self) -> tuple[str, ...]:
        return await self._spoken.asked()

    async def resume(self) -> None:
        """Take part again; a leaving that was ordered is taken back, too."""
        member, was_cut = self._someone(), self._steering.orders.cut
        self._steering.order(paused=False, until=0.0, cut=False, leaving=0, forget=False)
        if was_cut:
            await self.join()
        else:
            member.resume()
            self._steering.look()

    async def rotate_key(self) -> None:
        """Returns when the node is its new identity, on its way back into the federation.

        A round under way goes on without this node, as if it had dropped out.
        """
        if not self._member().enrolled:
            raise Stop(
                "the coordinator must hear of a new key, and this node is not with it now",
                remedy="wait until 'fedtui status' says waiting, then try again",
                exit_code=Exit.TRY_LATER,
            )
        self._new_key.clear()
        await asyncio.to_thread(self._home.key.draw)
        self._member().rotate()
        try:
            async with asyncio.timeout(ROTATE_S):
                await self._new_key.wait()
        except TimeoutError as error:
            raise Stop(
                f"the coordinator did not confirm the new key within {ROTATE_S:.0f} s",
                remedy="the rotation goes on by itself when it answers: see 'fedtui key show'",
                exit_code=Exit.TRY_LATER,
            ) from error

    async def leave(self, *, after_round: bool = False, forget: bool = False) -> None:
        """Tell the coordinator, forget the membership, stop the daemon. The ledger stays."""
        member, number = self._someone(), self._steering.round_under_way
        if after_round and number:
            self._steering.order(leaving=number, forget=forget)
            self._board.log("info", f"leaves the federation when round {number} is over")
            return
        config = configs.load(self._home.profile.config)
        limits = msgspec.structs.replace(config.limits, leave_on="")
        left = msgspec.structs.replace(
            config, coordinator=configs.CoordinatorTable(), limits=limits
        )
        if forget:
            self._home.trust.forget(bytes.fromhex(config.coordinator.id))
        configs.save(self._home.profile.config, left)  # if it cannot be, the node is a member yet
        member.leave()
        await asyncio.sleep(0)  # the writer takes what was queued before the goodbye
        async with self._changing:
            await self._end()
        self._steering.order(paused=False, until=0.0, cut=False, leaving=0, forget=False)
        self._board.post(status.CoordinatorPinned(coordinator=None))
        self._board.post(status.PlanSeen(plan=None, consented=False))
        self._board.state("idle", "left the federation")
        self.stopped.set()

    async def stop(self) -> None:
        self.stopped.set()

    async def ledger(self, limit: int = 100) -> tuple[LedgerLine, ...]:
        return tuple(entry.line() for entry in self._home.ledger.tail(limit))

    async def log(self, limit: int = 100) -> tuple[LogLine, ...]:
        return self._board.status.log[-limit:]

    # ---- orders and limits --------------------------------------------------------------------

    def _use(self, limits: Limits) -> None:
        """Let these limits hold at once, wherever they bind."""
        self._home.trainer.limit(TrainerLimits.of(limits))
        if self._link is not None:
            self._link.pace(limits.max_upload_kb_per_s * 1000)
        if self._membership is not None:
            self._membership.limit(limits)
        self._steering.limit(limits)

    def _leave_soon(self) -> None:
        """The time to leave has come."""
        if self._leaving is None or self._leaving.done():
            self._leaving = asyncio.get_running_loop().create_task(self._leave_by_itself())

    async def _leave_by_itself(self) -> None:
        try:
            await self.leave(forget=self._steering.orders.forget)
        except (OSError, FedtuiError, status.Refused) as error:  # it is tried again soon
            self._board.log("warning", f"this node cannot leave: {error}")

    def _taken_up(self, config: NodeConfig, invite: Invite) -> NodeConfig:
        """node.toml, written, with the coordinator of an invite."""
        profile = self._home.profile
        idle = msgspec.structs.replace(config, coordinator=configs.CoordinatorTable())
        warn = partial(self._board.log, "warning")
        config = entering.with_invite(profile, idle, invite, say=warn)
        configs.save(profile.config, config)
        return config

    # ---- link and membership ------------------------------------------------------------------

    def _begin(self, config: NodeConfig, proof: InviteProof | None) -> None:
        self._board.post(status.Introduced(label=config.label, role=config.role))
        membership = Membership(
            self._home,
            config,
            on_new_key=self._key_changed,
            paused=self._steering.paused,
            resting=self._steering.resting,
        )
        link = self._dial(self._pinned(config), membership.hello(proof), membership)
        membership.use(link)
        self._membership, self._link = membership, link
        self._use(config.limits)
        self._running = asyncio.create_task(link.run())
        self._running.add_done_callback(self._link_over)
        self._readings.follow(link, membership.refresh)

    def _link_over(self, running: asyncio.Task[object]) -> None:
        """A link that ends by a bug of ours must not look as if it were still there."""
        error = None if running.cancelled() else running.exception()
        if error is not None:
            traceback.print_exception(error)
            text = f"a bug in fedtui ended the connection ({type(error).__name__})"
            self._board.problem(text, remedy="fedtui join tries again; 'fedtui log' has more")
            self._board.state("stopped", text)

    async def _end(self, *, within_s: float = GOODBYE_S) -> None:
        if self._membership is not None:
            self._membership.done()
        if self._link is not None and self._running is not None:
            self._link.stop()
            await asyncio.wait({self._running}, timeout=within_s)
            self._running.cancel()
            await asyncio.wait({self._running}, timeout=within_s)
        if self._membership is not None:  # last: what the session still said may be at work
            await self._membership.close()
        self._readings.follow(None)
        self._membership = self._link = self._running = None

    def _key_changed(self) -> None:
        """The node is another identity: show it, and come back as it."""
        new = self._home.identity.id
        self._board.post(status.KeyChanged(node_id=new.hex(), fingerprint=fingerprint(new)))
        self._board.log("info", f"this node's key was rotated: it is {fingerprint(new)} now")
        self._restarting = asyncio.get_running_loop().create_task(self._begin_again())

    async def _begin_again(self) -> None:
        async with self._changing:
            await self._end()
            if not self._steering.orders.cut:
                self._begin(configs.load(self._home.profile.config), None)
        self._new_key.set()

    def _pinned(self, config: NodeConfig) -> NodeConfig:
        """The configuration with the id that the pinned coordinator has by now."""
        now = self._home.trust.current_id(bytes.fromhex(config.coordinator.id))
        table = msgspec.structs.replace(config.coordinator, id=now.hex())
        return msgspec.structs.replace(config, coordinator=table)

    def _member(self) -> Membership:
        if self._membership is None:
            raise Stop(
                "this node is in no federation",
                remedy="fedtui join",
                exit_code=Exit.USAGE,
            )
        return self._membership

    def _someone(self) -> Membership:
        """The membership at hand; one without a link while nothing is connected."""
        config = configs.load(self._home.profile.config)
        if self._membership is None and config.coordinator.id:
            paused = self._steering.paused
            return Membership(self._home, self._pinned(config), paused=paused)
        return self._member()

    def _show_coordinator(self, config: NodeConfig) -> None:
        if not config.coordinator.id:
            return
        known = self._home.trust.get(bytes.fromhex(config.coordinator.id))
        addresses = config.coordinator.addresses
        shown = status.Coordinator(
            label=known.label if known else "",
            address=addresses[0] if addresses else "",
            fingerprint=fingerprint(known.id if known else bytes.fromhex(config.coordinator.id)),
            pinned_at=known.first_seen_s if known else 0.0,
            formerly=fingerprint(known.former_ids[-1]) if known and known.rotations else "",
        )
        self._board.post(status.CoordinatorPinned(coordinator=shown))
