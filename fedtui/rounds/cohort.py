"""The cohort of one attempt: where each member stands, and who is still awaited.

Kept so that no event costs more than a look at one member, however large the cohort is.
"""

from collections import Counter
from collections.abc import Iterable, Set
from dataclasses import dataclass
from enum import Enum

from fedtui.rounds.machine import NodeId, UpdateOpened

NUM_REASONS_TOLD = 3
ENOUGH = "the round had enough without it"
"""Why a member is let go that did nothing wrong: more were invited than wanted."""


class Standing(Enum):
    """Where a member of the cohort stands."""

    OFFERED = "offered"
    TRAINING = "training"
    SENDING = "sending"
    MASKED = "masked update delivered"
    DELIVERED = "delivered"
    DECLINED = "declined"
    LOST = "lost"


AWAITED = frozenset({Standing.OFFERED, Standing.TRAINING, Standing.SENDING, Standing.MASKED})
"""Who may still be asked for something: a visible update is a node's last word, no masked one."""


@dataclass(slots=True)
class Member:
    """What the coordinator knows of one node in this attempt; `late`: lost to a deadline.

    `took_s` is how long its work took, once it is done.
    """

    standing: Standing = Standing.OFFERED
    reason: str = ""
    late: bool = False
    stage: str = ""
    fraction: float = 0.0
    away_until: float | None = None
    opened: UpdateOpened | None = None
    took_s: float = 0.0


class Cohort:
    """All members, sorted by id; `awaited` are those from whom an update may still come."""

    def __init__(self, nodes: Iterable[NodeId]) -> None:
        self.members = {node: Member() for node in sorted(nodes)}
        self.awaited = dict(self.members)
        self.away: dict[NodeId, Member] = {}
        self.num_offered = len(self.members)

    def stand(self, node: NodeId, standing: Standing, reason: str = "") -> None:
        """Change where a member stands; who is no longer awaited never is again."""
        member = self.members[node]
        self.num_offered -= member.standing is Standing.OFFERED
        member.standing, member.reason = standing, reason
        if standing not in AWAITED:
            self.awaited.pop(node, None)
            self.away.pop(node, None)

    def lose(self, node: NodeId, reason: str, *, late: bool = False) -> None:
        """Go on without the member; `late` if it missed a deadline."""
        self.stand(node, Standing.LOST, reason)
        self.members[node].late = late

    def let_go(self, *, but: Set[NodeId] = frozenset()) -> None:
        """Go on without all who are still awaited `but` these; they are not late."""
        for node in list(self.awaited.keys() - but):
            self.lose(node, ENOUGH)

    def leave(self, node: NodeId, until: float) -> None:
        """The member's session ended; it is awaited until then."""
        self.awaited[node].away_until = until
        self.away[node] = self.awaited[node]

    def come_back(self, node: NodeId) -> None:
        self.awaited[node].away_until = None
        self.away.pop(node, None)

    def away_until(self) -> list[float]:
        """When the graces of those who are away run out."""
        return [m.away_until for m in self.away.values() if m.away_until is not None]

    def reasons(self) -> str:
        """Why members dropped out: the most frequent reasons, with counts."""
        counts = Counter(m.reason for m in self.members.values() if m.reason)
        most = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:NUM_REASONS_TOLD]
        return "; ".join(f"{num}: {reason}" for reason, num in most)
