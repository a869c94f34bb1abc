"""Who may ask to come in without an invite: whether at all, how often, and how many may wait.

Whoever asks waits for the operator's approval, always. Strangers can ask as often as they find new
addresses and keys, so each address has a rate, and so many wait at most: when the list is full, an
invite still lets its node in. Nothing is written down for a node that may not even ask.
"""

import structlog

from coordinator.guard import Buckets
from coordinator.roster import Roster
from coordinator.server import Rejected
from fedtui.errors import CloseCode

log = structlog.get_logger(__name__)

RETRY_AFTER_S = 60.0
NOT_LET_IN = (
    "the coordinator does not know this node, or its invite is unknown, expired or used up: "
    "ask its operator for a new invite"
)


class Newcomers:
    """Decides about nodes that nobody knows and that bring no invite."""

    def __init__(
        self, roster: Roster, *, may_ask: bool, max_pending: int, per_minute: float
    ) -> None:
        """`per_minute` is the rate of one address, and what it may use up at once."""
        self._roster = roster
        self._may_ask = may_ask
        self._max_pending = max_pending
        self._rates = Buckets(per_minute / 60.0, max(1.0, per_minute))

    @property
    def num_waiting(self) -> int:
        """Nodes without an invite that wait for approval, here or away."""
        members = self._roster.members.values()
        return sum(one.state == "pending" and one.invite is None for one in members)

    def check(self, address: str, *, now: float) -> None:
        """Let a node from `address` ask. Raises Rejected if it may not, or not now."""
        if not self._may_ask:
            raise Rejected(CloseCode.UNAUTHORISED, NOT_LET_IN)
        if not self._rates.take(address, now):
            raise Rejected(
                CloseCode.OVERLOADED,
                "too many nodes from this address asked to join; try again later",
                retryable=True,
                retry_after_s=self._rates.wait_s(address, now),
            )
        if self.num_waiting >= self._max_pending:
            log.warning("no more nodes may ask without an invite", waiting=self.num_waiting)
            raise Rejected(
                CloseCode.OVERLOADED,
                "so many nodes wait for approval here that no other may ask now: ask the "
                "coordinator's operator for an invite",
                retryable=True,
                retry_after_s=RETRY_AFTER_S,
            )
