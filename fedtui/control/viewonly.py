"""ViewOnly: controls of a node that is shown and obeys nothing: a recording, a simulated one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from fedtui.status import NodeStatus

if TYPE_CHECKING:
    from fedtui.status import (
        CheckReport,
        FoundCoordinator,
        InviteSeen,
        LedgerLine,
        Limits,
        LogLine,
        PastRound,
        ProbedCoordinator,
        Refused,
        Setup,
    )


class ViewOnly:
    """All of fedtui.status.NodeControls but `watch`, which sets `_now` as it goes."""

    def __init__(self, refused: Refused) -> None:
        """`refused` is what every command is answered."""
        self._refused = refused
        self._now = NodeStatus()

    def _refuse(self) -> NoReturn:
        raise self._refused

    async def status(self) -> NodeStatus:
        return self._now

    async def ledger(self, limit: int = 100) -> tuple[LedgerLine, ...]:
        return self._now.ledger[-limit:]

    async def log(self, limit: int = 100) -> tuple[LogLine, ...]:
        return self._now.log[-limit:]

    async def history(self, limit: int = 100) -> tuple[PastRound, ...]:
        return self._now.rounds[-limit:]

    async def words(self) -> tuple[str, ...]:
        self._refuse()

    async def discover(self) -> tuple[FoundCoordinator, ...]:
        self._refuse()

    async def probe(self, address: str) -> ProbedCoordinator:  # noqa: ARG002
        self._refuse()

    async def read_invite(self, invite: str) -> InviteSeen:  # noqa: ARG002
        self._refuse()

    async def setup(self, choice: Setup) -> None:  # noqa: ARG002
        self._refuse()

    async def join(self, invite: str = "") -> None:  # noqa: ARG002
        self._refuse()

    async def join_at(self, address: str, coordinator_id: str) -> None:  # noqa: ARG002
        self._refuse()

    async def check(self) -> CheckReport:
        self._refuse()

    async def consent(self, plan_hash: str) -> None:  # noqa: ARG002
        self._refuse()

    async def withdraw(self) -> None:
        self._refuse()

    async def pause(self, until: float = 0.0) -> None:  # noqa: ARG002
        self._refuse()

    async def resume(self) -> None:
        self._refuse()

    async def stop_sharing(self) -> None:
        self._refuse()

    async def limit(self, limits: Limits) -> None:  # noqa: ARG002
        self._refuse()

    async def retry(self) -> None:
        self._refuse()

    async def acknowledge(self, alarm_id: int) -> None:  # noqa: ARG002
        self._refuse()

    async def rotate_key(self) -> None:
        self._refuse()

    async def leave(self, *, after_round: bool = False, forget: bool = False) -> None:  # noqa: ARG002
        self._refuse()

    async def stop(self) -> None:
        self._refuse()
