"""Replay: a NodeControls that tells a recording again, in its own time, and obeys nothing."""

from __future__ import annotations

import asyncio
from itertools import chain, islice
from typing import TYPE_CHECKING, NoReturn

from fedtui.status import NodeStatus, Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from fedtui.status import (
        CheckReport,
        FoundCoordinator,
        InviteSeen,
        LedgerLine,
        Limits,
        LogLine,
        PastRound,
        ProbedCoordinator,
        Setup,
    )


class Replay:
    """Implements fedtui.status.NodeControls; `speed` 2 is twice as fast as it happened.

    `told` is read as it is shown, and one status of it is kept: in memory a recording is many
    times as large as its file, because each status is whole.
    """

    def __init__(self, told: Iterable[tuple[float, NodeStatus]], *, speed: float = 1.0) -> None:
        rest = iter(told)
        first = tuple(islice(rest, 1))
        self._told = chain(first, rest)
        self._speed = speed
        self._now = first[0][1] if first else NodeStatus()

    async def status(self) -> NodeStatus:
        return self._now

    async def watch(self) -> AsyncIterator[NodeStatus]:
        """Every status of the recording at its time, then nothing more; once."""
        before = 0.0
        for at, status in self._told:
            await asyncio.sleep((at - before) / self._speed)
            before, self._now = at, status
            yield status
        await asyncio.Event().wait()

    async def ledger(self, limit: int = 100) -> tuple[LedgerLine, ...]:
        return self._now.ledger[-limit:]

    async def log(self, limit: int = 100) -> tuple[LogLine, ...]:
        return self._now.log[-limit:]

    async def history(self, limit: int = 100) -> tuple[PastRound, ...]:
        return self._now.rounds[-limit:]

    async def words(self) -> tuple[str, ...]:
        _refuse()

    async def discover(self) -> tuple[FoundCoordinator, ...]:
        _refuse()

    async def probe(self, address: str) -> ProbedCoordinator:  # noqa: ARG002
        _refuse()

    async def read_invite(self, invite: str) -> InviteSeen:  # noqa: ARG002
        _refuse()

    async def setup(self, choice: Setup) -> None:  # noqa: ARG002
        _refuse()

    async def join(self, invite: str = "") -> None:  # noqa: ARG002
        _refuse()

    async def join_at(self, address: str, coordinator_id: str) -> None:  # noqa: ARG002
        _refuse()

    async def check(self) -> CheckReport:
        _refuse()

    async def consent(self, plan_hash: str) -> None:  # noqa: ARG002
        _refuse()

    async def withdraw(self) -> None:
        _refuse()

    async def pause(self, until: float = 0.0) -> None:  # noqa: ARG002
        _refuse()

    async def resume(self) -> None:
        _refuse()

    async def stop_sharing(self) -> None:
        _refuse()

    async def limit(self, limits: Limits) -> None:  # noqa: ARG002
        _refuse()

    async def retry(self) -> None:
        _refuse()

    async def acknowledge(self, alarm_id: int) -> None:  # noqa: ARG002
        _refuse()

    async def rotate_key(self) -> None:
        _refuse()

    async def leave(self, *, after_round: bool = False, forget: bool = False) -> None:  # noqa: ARG002
        _refuse()

    async def stop(self) -> None:
        _refuse()


def _refuse() -> NoReturn:
    raise Refused("this is a recording: there is no node to command")
