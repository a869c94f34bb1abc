"""Steering: what the operator ordered and limited, and the moments at which that does something.

    orders (orders.py), limits (node.toml) and the machine --> look() --> pause, rest, leave

It looks every few seconds, and at once when a round begins or ends. What it decides is pure
(resting.py); how it is carried out is the membership's.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from fedtui import status
from node import orders, resting, workstation
from node.bystanders import Bystanders

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedtui.status import Limits
    from node.home import Home
    from node.membership import Membership

LOOK_EVERY_S = 5.0


class Steering:
    """One profile's orders and limits.

    `member` gives the membership at hand; `leave` is asked for when its time has come, and may be
    asked again.
    """

    def __init__(
        self,
        home: Home,
        *,
        member: Callable[[], Membership | None],
        leave: Callable[[], None],
    ) -> None:
        self.orders = orders.load(home.profile)
        self.limits = status.Limits()
        self.resting = ""
        self._home = home
        self._board = home.board
        self._member = member
        self._leave = leave
        self._round = self.orders.leaving  # under way, as far as this node knows
        self._bystanders = Bystanders(lambda: home.trainer.pid)
        self._unlisten: Callable[[], None] = lambda: None
        self._looking: asyncio.TimerHandle | None = None

    # ---- orders and limits --------------------------------------------------------------------

    def start(self) -> None:
        """Show the orders that stand, and look from now on."""
        self._unlisten = self._board.listen(self._happened, watches=False)
        self._show()
        self._look_later()

    def close(self) -> None:
        self._unlisten()
        if self._looking is not None:
            self._looking.cancel()

    def order(self, **changes: object) -> None:
        """Change the orders, durably. Raises OSError; the changed ones stand even then."""
        self.orders = msgspec.structs.replace(self.orders, **changes)
        self._show()
        orders.save(self._home.profile, self.orders)

    def limit(self, limits: Limits) -> None:
        """Let these limits hold."""
        self.limits = limits
        if limits != self._board.status.limits:
            self._board.post(status.LimitsSet(limits=limits))
        self.look()

    @property
    def paused(self) -> str:
        """Why the operator's orders keep the node out, as a sentence; "" if they do not."""
        given = self.orders
        if not given.paused:
            return ""
        if given.cut:
            return "you stopped sharing, nothing is connected: fedtui resume"
        until = f" until {_when(given.until, self._home.clock())}" if given.until else ""
        return f"paused by you{until}: fedtui resume"

    @property
    def round_under_way(self) -> int:
        """The round that this node takes part in and whose result it has not heard; or 0."""
        return 0 if self.orders.paused or self.resting else self._round

    # ---- looking ------------------------------------------------------------------------------

    def look(self) -> None:
        """Do what is due."""
        now, given = self._home.clock(), self.orders
        if given.paused and given.until and now >= given.until:
            self._board.log("info", "the pause is over")
            self._order_by_itself(paused=False, until=0.0)
            if (member := self._member()) is not None:
                member.resume()
        self._rest(now)
        if self._member() is not None and self._is_time_to_leave(now):
            self._leave()

    def _order_by_itself(self, **changes: object) -> None:
        """Change the orders while nobody waits for an answer: a disk that fails is said."""
        try:
            self.order(**changes)
        except OSError as error:
            self._board.log("warning", f"orders.json cannot be written: {error.strerror}")

    def _look_later(self) -> None:
        until = self.orders.until
        wait_s = min(LOOK_EVERY_S, max(0.1, until - self._home.clock())) if until else LOOK_EVERY_S
        self._looking = asyncio.get_running_loop().call_later(wait_s, self._look_again)

    def _look_again(self) -> None:
        self._look_later()
        self.look()

    def _rest(self, now: float) -> None:
        member, limits = self._member(), self.limits
        reason = ""
        if member is not None:
            idle = limits.run == "idle"
            facts = resting.Facts(
                now=_local(now),
                limits=limits,
                num_bytes_today=self._home.ledger.num_bytes_on(now),
                next_bytes=member.next_bytes,
                power=workstation.power() if limits.run == "AC" else "",
                others=self._bystanders.read(asyncio.get_running_loop().time()) if idle else None,
                at_work=member.at_work or bool(self.round_under_way),
                resting=bool(self.resting),
            )
            reason = resting.rests(facts)
        if reason == self.resting:
            return
        began = not self.resting
        self.resting = reason
        self._board.post(status.Rested(resting=reason))
        if began or not reason:
            self._board.log("info", f"sits out: {reason}" if reason else "takes part again")
        if member is not None:
            member.rest(reason)

    def _is_time_to_leave(self, now: float) -> bool:
        if resting.is_last_day(self.limits, _local(now)):
            if not self.round_under_way:
                return True
            if not self.orders.leaving:
                self._board.log("info", "the day to leave has come: after this round")
                self._order_by_itself(leaving=self.round_under_way)
        return bool(self.orders.leaving) and not self.round_under_way

    def _happened(self, event: status.Event) -> None:
        """A round began or ended: what waits for that is due."""
        leaving = self.orders.leaving
        match event:
            case status.RoundMoved(round=moved) if moved.phase not in {"", "evaluate"}:
                self._round = 0 if leaving and moved.number > leaving else moved.number
            case status.RoundMoved():
                pass
            case status.RoundCounted(round=number) if number >= self._round:
                self._round = 0
            case status.WaitingFor(waiting=status.Waiting()) | status.FederationEnded():
                self._round = 0
            case _:
                return
        asyncio.get_running_loop().call_soon(self.look)

    def _show(self) -> None:
        given, shown = self.orders, self._board.status
        if given.until != shown.pause_until:
            self._board.post(status.PauseSet(pause_until=given.until))
        if bool(given.leaving) != shown.leaving:
            self._board.post(status.LeavingSet(leaving=bool(given.leaving)))


def _local(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone()


def _when(at: float, now: float) -> str:
    """A moment as the operator's clock shows it; with the day unless it is soon."""
    soon = at - now < 12 * 3600
    return f"{_local(at):%H:%M}" if soon else f"{_local(at):%Y-%m-%d %H:%M}"
