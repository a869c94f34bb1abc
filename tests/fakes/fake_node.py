"""A node without a network, a trainer or a disk: NodeControls for tests of screens and sockets."""

import asyncio
from collections.abc import AsyncIterator

from fedtui.status import (
    CheckReport,
    KeyChanged,
    Leaves,
    LedgerLine,
    LogLine,
    NodeStatus,
    PlanSeen,
    PlanSummary,
    Refused,
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
        self.invites: list[str] = []
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

    async def pause(self) -> None:
        self._plan()
        self._to("paused", "paused by you")

    async def resume(self) -> None:
        self._plan()
        self._to("waiting", "waiting for the next round")

    async def rotate_key(self) -> None:
        self._plan()
        self.board.post(KeyChanged(node_id="cd" * 32, fingerprint="NEW"))

    async def leave(self) -> None:
        self._plan()
        self.board.post(PlanSeen(plan=None, consented=False))
        self._to("idle", "left the federation")

    async def stop(self) -> None:
        self.stopped = True

    async def ledger(self, limit: int = 100) -> tuple[LedgerLine, ...]:
        return self.lines[-limit:]

    async def log(self, limit: int = 100) -> tuple[LogLine, ...]:
        return self.board.status.log[-limit:]

    def _plan(self) -> PlanSummary:
        if self.board.status.plan is None:
            raise Refused("this node is in no federation", remedy="fedtui join", exit_code=2)
        return self.board.status.plan

    def _to(self, state: State, sentence: str) -> None:
        self.board.state(state, sentence)
