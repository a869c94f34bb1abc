"""Readings: once a second bytes and round trips of the link, every two seconds this machine.

Both are told while somebody watches; the machine also while the trainer works, so that a screen
which comes later finds no hole. The meter is read either way: its rates and round trips need it.
A trainer that died is an alarm, whoever watches.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fedtui import status
from fedtui.wire.labels import safe_label
from node import noticing, workstation
from node.ledger import DAY_S
from node.workstation import Workstation

if TYPE_CHECKING:
    from collections.abc import Callable

    from node.home import Connection, Home

EVERY_S = 1.0
MACHINE_EVERY = 2
MAX_LAST_WORDS = 20


def _is_due(before: status.Traffic, now: status.Traffic) -> bool:
    """Whether the second that passed is told: an empty one, too, while the rates hold a flow.

    They are one a second: a pause that was not told would look as if it never was.
    """
    return noticing.is_notable(before, now) or any((*before.up_rates, *before.down_rates))


class Readings:
    """Reads what the node does to this machine and its network, and posts it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._board = home.board
        self._link: Connection | None = None
        self._refresh: Callable[[], None] = lambda: None
        self._received = 0  # of this link, when it was read last
        self._day = 0
        self._down_today = 0
        self._station = Workstation(lambda: home.trainer.pid)
        home.trainer.on_death = self._died

    def follow(self, link: Connection | None, refresh: Callable[[], None] = lambda: None) -> None:
        """Read this link's meter from now on; None: there is none any more.

        `refresh` is called once a second while somebody watches.
        """
        self.traffic(tell=False)
        self._link, self._received, self._refresh = link, 0, refresh

    async def run(self) -> None:
        """Read until cancelled."""
        number = 0
        while True:
            await asyncio.sleep(EVERY_S)
            number += 1
            watched = self._board.is_watched
            self.traffic(tell=watched, when=_is_due)
            if watched:
                self._refresh()
            works = self._home.trainer.state == "busy"
            if number % MACHINE_EVERY == 0 and (works or watched):
                self.machine()

    def traffic(
        self,
        *,
        tell: bool = True,
        when: Callable[[status.Traffic, status.Traffic], bool] = noticing.differs,
    ) -> None:
        """Read the meter, and say so if `tell` and something flows, or `when` finds a change."""
        if self._link is None:
            return
        now = self._home.clock()
        seen = self._link.traffic(asyncio.get_running_loop().time())
        if int(now // DAY_S) != self._day:
            self._day, self._down_today = int(now // DAY_S), 0
        self._down_today += seen.received_bytes - self._received
        self._received = seen.received_bytes
        traffic = status.Traffic(
            up=seen.sent_bytes,
            down=seen.received_bytes,
            up_today=self._home.ledger.num_bytes_on(now),
            down_today=self._down_today,
            up_per_s=noticing.flow(seen.sent_rate),
            down_per_s=noticing.flow(seen.received_rate),
            round_trip_s=seen.round_trip_s,
            round_trip_p50_s=seen.round_trip_p50_s,
            round_trip_p99_s=seen.round_trip_p99_s,
            jitter_s=seen.jitter_s,
            num_reconnects=max(0, seen.num_welcomed - 1),
        )
        flows = traffic.up_per_s or traffic.down_per_s
        if tell and (flows or when(self._board.status.traffic, traffic)):
            self._board.post(status.TrafficMeasured(traffic=traffic))

    def machine(self) -> None:
        """Read the machine; say so if a screen would show something else."""
        seen = self._station.read()
        if workstation.differs(self._board.status.machine, seen):
            self._board.post(status.MachineMeasured(machine=seen))

    def _died(self, cause: str, last_words: tuple[str, ...]) -> None:
        self._station.num_restarts += 1
        number = self._station.num_restarts
        self._board.alarm(
            "trainer died",
            f"{safe_label(cause, 300)}; the next job starts it again (restart {number})",
            remedy="what it said last is below; its limits are in node.toml",
            detail=tuple(safe_label(line, 300) for line in last_words[-MAX_LAST_WORDS:]),
        )
        self._board.log("error", safe_label(cause, 300), "train")
        self.machine()
