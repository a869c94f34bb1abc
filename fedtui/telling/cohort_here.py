"""The cohort under way as this node knows it: who is in it, and what it promises. Pure.

What an offer promises holds first; once this node's machine went along with a roster, what that
fixes; of the nodes in it, some may be lost later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fedtui.rounds.masked_participant import MaskedParticipant
from fedtui.telling import privacy
from fedtui.wire.messages import Mailbox, Offer, Roster, Survivors

if TYPE_CHECKING:
    from fedtui.rounds.participant import RoundParticipant
    from fedtui.rounds.plan import Plan
    from fedtui.status import Peer, Privacy
    from fedtui.telling.rounds_here import Numbers
    from fedtui.wire.messages import Role


@dataclass(slots=True, kw_only=True)
class CohortHere:
    """`me` is this node's id; `ids` are those of the last roster, `new` those to be marked new."""

    plan: Plan
    role: Role
    me: bytes
    ids: tuple[bytes, ...] = ()
    new: frozenset[bytes] = frozenset()
    _kept: frozenset[int] | None = field(default=None, init=False)
    _cohort: privacy.Cohort | None = field(default=None, init=False)
    _agreed: privacy.Agreed | None = field(default=None, init=False)

    @property
    def is_known(self) -> bool:
        """Whether a cohort is under way."""
        return self._cohort is not None

    @property
    def roster_hash(self) -> str:
        """Of the roster that this node accepted, as hex; "" if it accepted none."""
        return self._agreed.hash if self._agreed else ""

    @property
    def least(self) -> int:
        """How many nodes a sum must have; 0 if no cohort is known."""
        return 0 if self._cohort is None else self._cohort.least

    @property
    def num_lost(self) -> int:
        """How many of the last roster are lost."""
        return 0 if self._kept is None else len(self.ids) - len(self._kept)

    def heard(self, message: object, at: RoundParticipant) -> Roster | Mailbox | Survivors | None:
        """Take what the machine `at` has just heard; the message if it changed who is there.

        Only what the machine went along with counts.
        """
        if not self.plan.masked or self.role != "participant":
            return None
        if isinstance(message, Offer) and at.work == message:
            self._cohort, self._agreed = privacy.cohort_of(self.plan, message.cohort_size), None
        masked = at.masked if isinstance(at, MaskedParticipant) else None
        if masked is None or not isinstance(message, Roster | Mailbox | Survivors):
            return None
        attempt = masked.attempt
        if (attempt.round, attempt.attempt) != (message.round, message.attempt):
            return None
        match message:
            case Roster():
                size = self._cohort.claim.invited if self._cohort else len(message.entries)
                group = masked.group.body
                self._cohort = privacy.cohort_in(group, invited=size)
                self._agreed = privacy.agreed_on(attempt, message)
                self.ids, self._kept = privacy.ids_in(group), None
            case _ if self._cohort is None:
                return None
            case Mailbox():
                self._kept = frozenset(message.included)
            case Survivors():
                self._kept = frozenset(message.nodes)
        return message

    def numbers(self, at: RoundParticipant) -> Numbers | None:
        """What a round that shows an update must keep; None where an evaluation is masked."""
        masked = at.masked if isinstance(at, MaskedParticipant) else None
        if self._cohort is None or masked is None or masked.attempt.purpose != "update":
            return None
        return privacy.numbers_of(self._cohort)

    def leave(self) -> None:
        """Nothing is under way any more; who was in the last roster stays known."""
        self._cohort = self._agreed = None

    def privacy(self) -> Privacy:
        """Who can learn what, as it stands."""
        return privacy.seen(self.plan, self.role, self._cohort, agreed=self._agreed)

    def roster(self) -> tuple[Peer, ...]:
        """The nodes of the last roster."""
        return privacy.peers(self.ids, me=self.me, new=self.new, kept=self._kept)
