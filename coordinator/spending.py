"""What nodes have spent under [dp]: worked out after each round, in a process of its own.

Rounds do not wait for it: while an answer is made, rounds pile up and are answered together. It
is kept nowhere but made again from the rounds in the database.
"""

import asyncio
import math
from collections.abc import Sequence

import structlog

from fedtui.privacy import accounting
from fedtui.privacy.accounting import AccountingError
from fedtui.rounds.history import FederationSnapshot, FinishedRound
from fedtui.rounds.plan import Plan
from fedtui.rounds.records import Record, RoundFinished
from fedtui.rounds.spent import Spent
from fedtui.status.coordinator import Epsilons

log = structlog.get_logger(__name__)


class Spending:
    """`told` is the newest answer; None without [dp], and until there is one."""

    def __init__(self, plan: Plan, snapshot: FederationSnapshot) -> None:
        """Take the rounds so far; nothing is asked yet."""
        self.told: Epsilons | None = None
        self._plan = plan
        self._spent = Spent(plan, snapshot.rounds, snapshot.burnt)
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to answer, if the plan has [dp]; needs a running loop."""
        if self._plan.dp is not None and self._task is None:
            self._wanted.set()
            self._task = asyncio.get_running_loop().create_task(self._work())

    def committed(self, records: Sequence[Record], rounds: Sequence[FinishedRound]) -> None:
        """These facts are durable, and `rounds` all that were committed so far."""
        if any(isinstance(record, RoundFinished) for record in records):
            newest = self._spent.rounds
            for each in (one for one in rounds[-len(records) :] if one.round > newest):
                self._spent.add(each)
            self._wanted.set()

    async def finish(self) -> None:
        """Stop what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            number, both = self._spent.rounds, self._spent.most()
            dp = self._plan.dp
            if dp is None or dp.delta is None:
                return
            try:
                found = await accounting.epsilons(both, dp.delta)
            except AccountingError as error:
                log.warning("epsilon is not known", text=str(error))
                self.told = _unknown(self._plan, number, error)
            else:
                self.told = _told(self._plan, number, found)
                log.info("spent", round=number, text=self.told.text())


def of_stopped(plan: Plan, snapshot: FederationSnapshot) -> Epsilons | None:
    """The same for commands: waits for the answer. None without [dp]."""
    spent = Spent(plan, snapshot.rounds, snapshot.burnt)
    if plan.dp is None or plan.dp.delta is None:
        return None
    try:
        found = accounting.epsilons_now(spent.most(), plan.dp.delta)
    except AccountingError as error:
        return _unknown(plan, spent.rounds, error)
    return _told(plan, spent.rounds, found)


def _told(plan: Plan, number: int, found: Sequence[float]) -> Epsilons:
    sure, real = (one if one < math.inf else None for one in found)
    return Epsilons(
        round=number,
        delta=plan.dp.delta or 0.0 if plan.dp else 0.0,
        guaranteed=sure,
        realised=real,
        cap=plan.dp.epsilon if plan.dp else None,
    )


def _unknown(plan: Plan, number: int, error: AccountingError) -> Epsilons:
    delta = plan.dp.delta or 0.0 if plan.dp else 0.0
    return Epsilons(round=number, delta=delta, wrong=str(error))
