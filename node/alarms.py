"""Which alarms are raised: each a thing that an operator should see even if they look away. Pure.

An alarm stays on the screen until it is acknowledged. Of one kind at most one is raised in
`SAME_KIND_S`, so that what happens a thousand times a minute does not push the others out.

    key changed       another key than the pinned one answered at the coordinator's address
    lied              the coordinator said what an honest one would not say (secure aggregation)
    update refused    the coordinator did not take this node's update
    trainer died      the trainer process ended by itself
    disk              ledger, journal, models or history cannot be written
    cohort too small  the cohort is smaller than this node takes part in
    budget            the operator's limit of bytes a day is used up
    data changed      the examples are not those that the operator agreed to share the work of
    new identities    nodes in the roster that were in none before
    plan changed      the plan, or what would leave under it, is not what was agreed to
    got worse         the global model got much worse on this node's own hold-out
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from fedtui.status import Alarm

Kind = Literal[
    "key changed",
    "lied",
    "update refused",
    "trainer died",
    "disk",
    "cohort too small",
    "budget",
    "data changed",
    "new identities",
    "plan changed",
    "got worse",
]

SAME_KIND_S = 10.0
MAX_DETAIL = 20
MAX_TEXT = 500


@dataclass(slots=True)
class Alarms:
    """Numbers alarms from 1, and lets none through that came a moment ago."""

    _last_id: int = 0
    _last_at: dict[str, float] = field(default_factory=dict)

    def raised(
        self, kind: Kind, text: str, *, at: float, remedy: str = "", detail: tuple[str, ...] = ()
    ) -> Alarm | None:
        """The alarm to show; None if one of this kind was raised less than SAME_KIND_S ago."""
        before = self._last_at.get(kind)
        if before is not None and 0 <= at - before < SAME_KIND_S:
            return None
        self._last_at[kind] = at
        self._last_id += 1
        return Alarm(
            id=self._last_id,
            at=at,
            kind=kind,
            text=text[:MAX_TEXT],
            remedy=remedy[:MAX_TEXT],
            detail=tuple(line[:MAX_TEXT] for line in detail[-MAX_DETAIL:]),
        )
