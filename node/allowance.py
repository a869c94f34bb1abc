"""How much of its privacy a node may still spend under [dp], and what it says of that.

dp-accounting is asked once what noise a single release would need to cost the whole cap. From then
on no round waits for it: Gaussian releases compose by adding up 1 / z**2 (privacy/spending.py), so
whether one more fits is arithmetic. The epsilon of what was spent is for people; it is worked out
after a spend, and of a burst of rounds once.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from fedtui import status
from fedtui.errors import OperatorError
from fedtui.privacy import accounting, spending
from fedtui.rounds import promised

if TYPE_CHECKING:
    from fedtui.rounds.plan import Plan
    from node.board import Board
    from node.budget import Budget

PAUSE_S = 5.0
RETRY_S = 60.0
_ROUNDING = 1e-9
_DELTA = 1e-9


class Allowance:
    """Of one federation whose plan has [dp]; `cap` 0 allows everything."""

    def __init__(self, budget: Budget, plan: Plan, cap: float, board: Board) -> None:
        """`start` begins to ask; until then nothing is known, and with a cap nothing allowed."""
        self._budget, self._cap, self._board = budget, cap, board
        self._delta = plan.dp.delta if plan.dp and plan.dp.delta else _DELTA  # by its check it has
        self._noise = promised.guaranteed(plan)
        self._most: float | None = None if cap else math.inf  # of 1 / z**2, for all releases
        self._spent = asyncio.Event()
        self._trouble = ""
        self._told = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Ask what the cap allows, and tell what was spent."""
        self._task = asyncio.get_running_loop().create_task(self._tell(), name="privacy budget")

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._budget.close()

    @property
    def rounds_left(self) -> int | None:
        """How many rounds with this plan's noise still fit; None: not known, or no cap."""
        if not self._cap or self._most is None:
            return None
        used = spending.together(self._budget.releases) ** -2
        return max(0, math.floor((self._most - used) * self._noise**2 + _ROUNDING))

    def refuses(self) -> str | None:
        """Why this node takes no part in one more round; None if it does."""
        if self._most is None:
            return self._trouble or "this node works out what one more round costs of its privacy"
        if self.rounds_left != 0:
            return None
        text = f"the epsilon of {self._cap:g} that this node's operator allows is used up"
        if not self._told:
            self._told = True
            self._board.alarm(
                "budget",
                f"{text}: it sits out",
                remedy="[privacy] epsilon in node.toml, then: fedtui join; or fedtui leave",
            )
        return text

    def allow(self, cap: float) -> None:
        """The operator allows so much in all from now on; 0 is everything."""
        if cap == self._cap:
            return
        self._cap, self._told = cap, False
        self._most = None if cap else math.inf
        self._spent.set()

    def spend(self, number: int, attempt: int) -> None:
        """An update of this attempt is about to leave. Raises OSError: then it must not."""
        if self._budget.spend(number, attempt, self._noise):
            self._spent.set()

    async def _tell(self) -> None:
        while True:
            self._spent.clear()
            try:
                if self._most is None:
                    cap = self._cap
                    noise = await asyncio.to_thread(accounting.noise_now, cap, self._delta, 1)
                    if cap != self._cap:  # the operator changed it meanwhile
                        continue
                    self._most = noise**-2
                epsilon = await accounting.epsilon(self._budget.releases, self._delta)
            except OperatorError as error:
                self._trouble = f"what a round costs of this node's privacy is not known: {error}"
                self._board.log("warning", self._trouble, "privacy")
                await asyncio.sleep(RETRY_S)
                continue
            self._trouble = ""
            self._board.post(status.BudgetSeen(budget=self._seen(epsilon)))
            await self._spent.wait()
            await asyncio.sleep(PAUSE_S)

    def _seen(self, epsilon: float) -> status.Budget:
        return status.Budget(
            epsilon=min(epsilon, accounting.MOST_EPSILON),
            delta=self._delta,
            noise=self._noise,
            num_releases=sum(one.count for one in self._budget.releases),
            cap=self._cap,
            rounds_left=self.rounds_left,
        )
