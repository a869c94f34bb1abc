"""CoordinatorService: puts the parts together, starts them in order and stops them in reverse.

    store -> federation and driver -> health -> nodes' server -> admin socket

It decides nothing about rounds (fedtui/rounds) and nothing about who may come in (gatekeeper.py).
The process stops by itself only for a disk that fails or for a bug of ours; whatever was
acknowledged is durable then, and the next start goes on.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import msgspec
import structlog
from msgspec.structs import replace

from coordinator import board, report, spokenwords
from coordinator.admin import AdminServer
from coordinator.answers import Status
from coordinator.arrivals import Arrivals, Doors
from coordinator.attendance import Attendance
from coordinator.changefiles import change_name
from coordinator.chronicle import Chronicle
from coordinator.clock import SteadyClock
from coordinator.combining import Combiner
from coordinator.commands import Commands
from coordinator.driver import Driver
from coordinator.files import StoreUnavailable
from coordinator.gatekeeper import Gatekeeper, House
from coordinator.guard import GuardSettings
from coordinator.health import Health, HealthServer
from coordinator.invites import InviteMaker
from coordinator.library import Library
from coordinator.metrics import Metrics
from coordinator.newcomers import Newcomers
from coordinator.nodewords import NodeWords
from coordinator.opening import Opened
from coordinator.savings import Savings
from coordinator.server import NodeServer, ServerSettings
from coordinator.spending import Spending
from coordinator.spool import Spool
from coordinator.tracking import Tracking
from coordinator.vitals import Vitals
from fedtui.combining import bounding
from fedtui.combining.grouped import groups_of
from fedtui.combining.visible import CannotCombineError, Recipe
from fedtui.crypto.keys import fingerprint
from fedtui.rounds import compression
from fedtui.rounds.attempt import Frame
from fedtui.rounds.federation import Federation
from fedtui.rounds.machine import (
    AcceptUpdate,
    Acknowledge,
    Aggregate,
    AggregationFailed,
    CoordinatorEffect,
    CoordinatorEvent,
    Discard,
    Finished,
    Persist,
    RefuseUpdate,
    Send,
)
from fedtui.rounds.records import Record, RoundFinished
from fedtui.status.coordinator import Board
from fedtui.wire.messages import MAX_SUCCESSIONS, AuditHead, Result

log = structlog.get_logger(__name__)

LAG_EVERY_S = 0.5
FINISH_S = 5.0


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the coordinator listens; `health` is 0 if it does not."""

    nodes: int
    health: int


class CoordinatorService:
    """One life of one coordinator."""

    def __init__(self, opened: Opened, *, announce: bool = False) -> None:
        """Take what `opening.open_coordinator` found; nothing listens yet.

        With `announce` it is announced on its network, and nodes without an invite may ask to
        come in unless coordinator.toml says that they may not.
        """
        self.layout = opened.layout
        self.config = opened.config
        self.store = opened.store
        self.metrics = Metrics()
        self.ports = Ports(0, 0)
        self._announce = announce
        self._identity = opened.identity
        self._clock = SteadyClock()
        self._began = self._clock()
        self._stopping = asyncio.Event()
        self._failure: BaseException | None = None
        self._head: AuditHead | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._combining: asyncio.Task[None] | None = None
        self._verify_spool = opened.snapshot.open is not None
        frame = Frame(
            plan=opened.plan,
            plan_hash=opened.plan_hash,
            manifest_digest=opened.manifest.digest(),
            incarnation=self.store.incarnation,
            identity=opened.identity,
            federation_id=self.store.federation_id,
            num_values=opened.manifest.num_values,
        )
        self.federation = Federation(frame, opened.snapshot, now=self._clock())
        self.driver = Driver(self.federation, self.store, self, self._clock)
        self._build(opened)

    def _build(self, opened: Opened) -> None:
        plan, manifest = opened.plan, opened.manifest
        self.figures = self.store.load_figures()
        self.groups = self.store.load_groups()
        self.spending = Spending(plan, opened.snapshot)
        self.spool = Spool(self.layout.spool, quota_bytes=self.config.storage.spool_bytes)
        recipe = Recipe.of(plan, manifest)
        self._combiner = Combiner(self.layout.checkpoints, self.spool, recipe, plan)
        self._library = Library(self.layout.checkpoints, plan, manifest)
        self._serve_models()
        doors = Doors(put=self.driver.put, fatal=self.fail)
        self._arrivals = Arrivals(
            self.spool,
            manifest,
            self.metrics,
            doors,
            masked=plan.masked,
            chain=compression.chain(plan, manifest.num_values),
            seed=plan.seed,
            longest=bounding.longest(plan, manifest.num_values),
        )
        savings = Savings(manifest.num_bytes)
        house = House(
            identity=opened.identity,
            store=self.store,
            library=self._library,
            savings=savings,
            plan_hash=opened.plan_hash,
            newcomers=self._newcomers(),
            allowlist=opened.allowlist,
            pending_s=self.config.enrolment.pending_s,
        )
        self.gatekeeper = Gatekeeper(
            house,
            self._arrivals,
            put=self.driver.put,
            phase=lambda: self.federation.phase.name,
            fatal=self.fail,
            metrics=self.metrics,
        )
        self.chronicle = Chronicle(
            self.federation,
            self.store.roster,
            self.metrics,
            self._clock,
            self.gatekeeper.traffic,
            savings,
        )
        self.gatekeeper.on_alarm = self.chronicle.alarms.ring
        self.gatekeeper.on_waiting = self.chronicle.asks
        self._tracking = Tracking(
            self.config.tracking, self.layout.root, self.federation, self.chronicle, self._clock
        )
        self.attendance = Attendance(
            self.federation, self._clock, self.chronicle.alarms, self.chronicle.name_of
        )
        self.words = NodeWords()
        known = spokenwords.kept(self.layout.root, opened.identity.id)
        if known:
            self.words.keep(opened.identity.id, known)
        limits = self.config.limits
        guard = GuardSettings(
            handshake_s=limits.handshake_s,
            max_waiting=limits.max_waiting,
            max_waiting_per_address=limits.max_waiting_per_address,
            handshakes_per_s=limits.handshakes_per_s,
            handshake_burst=limits.handshake_burst,
            failed_enrolments_per_minute=limits.failed_enrolments_per_minute,
        )
        settings = ServerSettings(
            federation=plan.federation.name,
            incarnation=self.store.incarnation,
            heartbeat_s=limits.heartbeat_s,
            guard=guard,
            successions=opened.successions[-MAX_SUCCESSIONS:],
        )
        self._vitals = Vitals(self)
        self._server = NodeServer(opened.identity, self.gatekeeper, settings=settings)

    # ---- life -----------------------------------------------------------------------------------

    async def run(self, started: asyncio.Future[Ports] | None = None) -> None:
        """Serve until `stop` is called. The caller closes the store afterwards.

        Raises:
            BindError: a port is not free.
            StoreError: the disk failed.
        """
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._tracking.stop)
            self._tracking.start()
            self.spending.start()
            stack.push_async_callback(self._finish_work)
            driving = asyncio.create_task(self.driver.run())
            stack.push_async_callback(self._end_task, driving)
            driving.add_done_callback(self._driver_ended)
            lag = asyncio.create_task(self._measure_lag())
            stack.push_async_callback(self._end_task, lag)
            health_port = await self._start_health(stack)
            server = self.config.server
            stack.push_async_callback(self._server.stop)
            node_port = await self._server.start(server.host, server.port)
            self.ports = Ports(node_port, health_port)
            admin = AdminServer(self.layout, Commands(self).answer, self.follow)
            stack.push_async_callback(admin.stop)
            await admin.start()
            if self._announce:
                self._begin_announcing(stack, node_port)
            log.info("serving", port=node_port, inc=self.store.incarnation)
            if started is not None and not started.done():
                started.set_result(self.ports)
            await self._stopping.wait()
            log.info("stopping")
            self.chronicle.followers.end()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End this life in good order; the federation goes on in the next one."""
        self._stopping.set()

    def fail(self, error: BaseException) -> None:
        """Something that only a restart can heal."""
        if self._failure is None:
            self._failure = error
            log.error("stopping because of a failure", error=type(error).__name__, text=str(error))
        self._stopping.set()

    @property
    def may_ask(self) -> bool:
        """Whether nodes without an invite may ask to come in, and wait for approval."""
        wanted = self.config.enrolment.without_invite
        return wanted == "always" or (wanted == "announced" and self._announce)

    def _newcomers(self) -> Newcomers:
        wanted = self.config.enrolment
        return Newcomers(
            self.store.roster,
            may_ask=self.may_ask,
            max_pending=wanted.max_pending,
            per_minute=wanted.newcomers_per_minute,
        )

    def _begin_announcing(self, stack: AsyncExitStack, port: int) -> None:
        from coordinator.discovery import Announcer  # noqa: PLC0415  zeroconf is large

        announcer = Announcer(
            self._identity.id,
            self.federation.plan.federation.name,
            host=self.config.server.host,
            port=port,
        )
        stack.push_async_callback(announcer.stop)
        announcer.start()

    async def _start_health(self, stack: AsyncExitStack) -> int:
        if not self.config.health.enabled:
            return 0
        health = HealthServer(self.health, self.metrics)
        stack.push_async_callback(health.stop)
        return await health.start(self.config.health.host, self.config.health.port)

    def _driver_ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    async def _end_task(self, task: "asyncio.Task[None]") -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _finish_work(self) -> None:
        await self.gatekeeper.finish()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=FINISH_S)
        for task in tuple(self._tasks):  # one that waits for room on the disk would wait for ever
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=FINISH_S)
        await self._arrivals.finish()
        await self.words.finish()
        await self.spending.finish()

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self.metrics.saw_lag(loop.time() - due)

    # ---- what the driver wants (Stage) ----------------------------------------------------------

    async def committed(self, records: Sequence[Record], took_s: float) -> None:
        """These records are durable."""
        self.metrics.commit.observe(took_s)
        finished = [record for record in records if isinstance(record, RoundFinished)]
        if finished:
            await self.driver.retrying(self._read_head)
            self._serve_models()
            _ = self._start(self._prune(finished[-1].round))
        self.figures.committed(records)
        self.groups.committed(records)
        self.spending.committed(records, self.federation.rounds)
        self.chronicle.committed(records)
        self._tracking.committed(records)

    async def _read_head(self) -> None:
        self._head = await self.store.audit_head()

    def handled(self, events: Sequence[CoordinatorEvent]) -> None:
        """These events are done with."""
        self.attendance.handled(events)
        self.chronicle.handled(events)

    def perform(self, effect: CoordinatorEffect) -> None:
        """Do what the machine asks for; slow things become tasks."""
        match effect:
            case Send(node=node, message=message):
                if isinstance(message, Result):
                    message = replace(message, audit_head=self._head)
                self.gatekeeper.send(node, message)
            case AcceptUpdate():
                self._arrivals.accept(effect)
            case RefuseUpdate():
                self._arrivals.refuse(effect)
            case Acknowledge():
                self._arrivals.acknowledge(effect)
            case Aggregate():
                self._combining = self._start(self._aggregate(effect))
            case Discard(round=number, attempt=attempt):
                self._discard(number, attempt)
            case Finished(reason=reason):
                log.info("federation ended", reason=reason)
            case Persist():
                pass

    def _discard(self, number: int, attempt: int) -> None:
        """Let the updates go, once they are not being combined any more."""
        running = self._combining
        if running is None or running.done():
            self._arrivals.discard(number, attempt)
        else:
            running.add_done_callback(lambda _: self._arrivals.discard(number, attempt))

    async def _aggregate(self, effect: Aggregate) -> None:
        verify, self._verify_spool = self._verify_spool, False

        async def once() -> None:
            done = await asyncio.to_thread(self._combiner.run, effect, verify=verify)
            self.driver.put(done)

        try:
            await self.driver.retrying(once)
        except CannotCombineError as error:
            failed = AggregationFailed(effect.round, effect.attempt, str(error), groups_of(error))
            self.driver.put(failed)

    async def _prune(self, newest: int) -> None:
        keep = self.config.storage.keep_checkpoints
        bases, milestones = self.federation.bases, self.federation.keep
        prune = self._combiner.prune
        await asyncio.to_thread(prune, newest, bases=bases, keep=keep, milestones=milestones)

    def _serve_models(self) -> None:
        keep = self.federation.keep
        kept = [r for r in self.federation.rounds if r.round in keep]
        recent = self.federation.rounds[-self.config.storage.keep_checkpoints :]
        self._library.serve(
            {r.model_digest: r.checkpoint_name for r in kept},
            {r.model_digest: change_name(r.round) for r in recent},
        )

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except StoreUnavailable as error:  # old models can be removed after the next round
            log.warning("put off", text=str(error))
        except Exception as error:  # noqa: BLE001 - a round must not wait for a bug of ours
            self.fail(error)

    # ---- what others may ask --------------------------------------------------------------------

    def invite_maker(self) -> InviteMaker:
        """Makes invites for the port that nodes really connect to."""
        return InviteMaker(self._identity, self.store, self.config, self.ports.nodes)

    def status(self) -> Status:
        """How things stand."""
        around = report.Surroundings(
            fingerprint=fingerprint(self._identity.id),
            incarnation=self.store.incarnation,
            connected=len(self.gatekeeper.visits),
            pending=self.gatekeeper.num_pending,
            address=f"{self.config.server.host}:{self.ports.nodes}",
            health=f"{self.config.health.host}:{self.ports.health}" if self.ports.health else "",
            pid=os.getpid(),
            uptime_s=self._clock() - self._began,
            degraded=self.driver.degraded,
            traffic=self.chronicle.bytes_of_rounds(),
            saved=self.chronicle.savings.saved,
            name=self.chronicle.name_of,
            figures=self.figures,
            groups=self.groups,
            spent=self.spending.told,
        )
        return report.of_running(self.federation, around)

    def board(self) -> Board:
        """The same for a screen, with every node."""
        return board.of(self)

    @property
    def identity_id(self) -> bytes:
        """Who this coordinator is."""
        return self._identity.id

    @property
    def now(self) -> float:
        """UTC seconds on the clock of rounds."""
        return self._clock()

    @property
    def began(self) -> float:
        """When this life began, on the same clock."""
        return self._began

    @property
    def num_turned_away(self) -> int:
        """Connections that the guard refused."""
        return self._server.guard.num_refused

    def health(self) -> Health:
        """For /healthz; brings the gauges up to date."""
        return self._vitals.look()

    async def follow(self) -> AsyncIterator[object]:
        """A status first, then a line for everything that happens."""
        queue = self.chronicle.followers.join()
        try:
            yield {"event": "status", "status": msgspec.to_builtins(self.status())}
            while (line := await queue.get()) is not None:
                yield line
        finally:
            self.chronicle.followers.leave(queue)
