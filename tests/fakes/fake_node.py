"""A node without a network, a trainer or a disk: NodeControls for tests of screens and sockets."""

import asyncio
from collections.abc import AsyncIterator

from fedtui.status import (
    AlarmSeen,
    CheckReport,
    CoordinatorPinned,
    FoundCoordinator,
    InviteSeen,
    KeyChanged,
    Leaves,
    LeavingSet,
    LedgerLine,
    Limits,
    LimitsSet,
    LogLine,
    NodeStatus,
    PastRound,
    PauseSet,
    PlanSeen,
    PlanSummary,
    ProbedCoordinator,
    Refused,
    Setup,
    State,
)
from node.board import Board

PLAN = PlanSummary(
    plan_hash="ab" * 32,
    federation="clinics",
    task="digits",
    metric="accuracy",
    leaves=(Leaves(item="update", form="visible", reader="the coordinator", when="each round"),),
    stays="your examples",
)


class FakeNode:
    """Joins at once and asks about PLAN; obeys until `closed`."""

    def __init__(self, board: Board | None = None) -> None:
        first = NodeStatus(label="alder", profile="p", pid=7, started_at=5.0, version="0")
        self.board = board or Board(first, clock=lambda: 1000.0)
        self.report = CheckReport(facts=("4 examples",))
        self.lines: tuple[LedgerLine, ...] = tuple(
            LedgerLine(
                at=float(n), round=n, attempt=1, what="update", num_bytes=9, form="f", receiver="c"
            )
            for n in range(1, 6)
        )
        self.found: tuple[FoundCoordinator, ...] = ()
        self.probed = ProbedCoordinator(
            coordinator_id="ef" * 32,
            address="192.168.1.20:8443",
            label="clinics",
            fingerprint="BK6L-UZEO-PLUP-UBBR-AAAA-BBBB-CCCC-DDDD",
            words=("amber", "fjord", "kettle", "maple", "onyx", "quill"),
        )
        self.invites: list[str] = []
        self.joined_at: list[tuple[str, str]] = []
        self.choices: list[Setup] = []
        self.shared_stopped = False
        self.retried = 0
        self.forgot = False
        self.stopped = False

    async def status(self) -> NodeStatus:
        return self.board.status

    async def watch(self) -> AsyncIterator[NodeStatus]:
        changed = asyncio.Event()
        unlisten = self.board.listen(lambda _: changed.set())
        try:
            while True:
                yield self.board.status
                await changed.wait()
                changed.clear()
        finally:
            unlisten()

    async def join(self, invite: str = "") -> None:
        if invite == "bad":
            raise Refused("no such invite", remedy="ask for another", exit_code=8)
        self.invites.append(invite)
        self.board.post(PlanSeen(plan=PLAN, consented=False))
        self._to("asking", "nobody here has agreed to the plan yet")

    async def check(self) -> CheckReport:
        self._plan()
        return self.report

    async def consent(self, plan_hash: str) -> None:
        plan = self._plan()
        if plan_hash != plan.plan_hash:
            raise Refused("another plan", exit_code=7)
        self.board.post(PlanSeen(plan=plan, consented=True))
        self._to("waiting", "waiting for the next round")

    async def discover(self) -> tuple[FoundCoordinator, ...]:
        return self.found

    async def probe(self, address: str) -> ProbedCoordinator:
        if address != self.probed.address:
            raise Refused(f"nobody answers at {address}", remedy="check it", exit_code=5)
        return self.probed

    async def read_invite(self, invite: str) -> InviteSeen:
        if not invite.startswith("fedtui1:"):
            raise Refused("this is no invite", remedy="ask for another", exit_code=3)
        seen = self.probed
        return InviteSeen(
            coordinator_id=seen.coordinator_id,
            fingerprint=seen.fingerprint,
            addresses=(seen.address,),
        )

    async def setup(self, choice: Setup) -> None:
        self.choices.append(choice)

    async def join_at(self, address: str, coordinator_id: str) -> None:
        self.joined_at.append((address, coordinator_id))
        await self.join()

    async def withdraw(self) -> None:
        self.board.post(PlanSeen(plan=self._plan(), consented=False))
        self._to("asking", "you took your consent back")

    async def pause(self, until: float = 0.0) -> None:
        self._plan()
        self.board.post(PauseSet(pause_until=until))
        self._to("paused", "paused by you")

    async def resume(self) -> None:
        self._plan()
        self._to("waiting", "waiting for the next round")

    async def stop_sharing(self) -> None:
        self.shared_stopped = True
        self._to("paused", "stopped sharing")

    async def limit(self, limits: Limits) -> None:
        self.board.post(LimitsSet(limits=limits))

    async def retry(self) -> None:
        self.retried += 1

    async def acknowledge(self, alarm_id: int) -> None:
        self.board.post(AlarmSeen(id=alarm_id))

    async def rotate_key(self) -> None:
        self._plan()
        self.board.post(KeyChanged(node_id="cd" * 32, fingerprint="NEW"))

    async def leave(self, *, after_round: bool = False, forget: bool = False) -> None:
        self._plan()
        self.forgot = forget
        if after_round:
            self.board.post(LeavingSet(leaving=True))
            return
        self.board.post(CoordinatorPinned(coordinator=None))
        self.board.post(PlanSeen(plan=None, consented=False))
        self._to("idle", "left the federation")

    async def stop(self) -> None:
        self.stopped = True

    async def ledger(self, limit: int = 100) -> tuple[LedgerLine, ...]:
        return self.lines[-limit:]

    async def log(self, limit: int = 100) -> tuple[LogLine, ...]:
        return self.board.status.log[-limit:]

    async def history(self, limit: int = 100) -> tuple[PastRound, ...]:
        return self.board.status.rounds[-limit:]

    async def words(self) -> tuple[str, ...]:
        return ("brisk", "cedar", "dune", "ember", "flint", "grove")

    def _plan(self) -> PlanSummary:
        if self.board.status.plan is None:
            raise Refused("this node is in no federation", remedy="fedtui join", exit_code=2)
        return self.board.status.plan

    def _to(self, state: State, sentence: str) -> None:
        self.board.state(state, sentence)
