"""Who can learn what in the rounds of a plan, in numbers and sentences; who is in a roster. Pure.

The sentences say what docs/threat-model.md claims, with the numbers put in: those of the plan's
smallest cohort while no round runs, those of the cohort that was offered, then those of the roster
that this node has checked. Every masked claim holds as long as at most `colluders` nodes of the
roster are in league with the coordinator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedtui.crypto.keys import fingerprint
from fedtui.rounds import masking
from fedtui.secagg import context, graph
from fedtui.status import Peer, Privacy
from node.rounds_here import Numbers

if TYPE_CHECKING:
    from collections.abc import Collection

    from fedtui.rounds.plan import Plan
    from fedtui.secagg.context import Attempt
    from fedtui.wire.messages import Role, Roster

KEYSTREAM = "ChaCha20"
MAX_PEERS = 500
_NO_SHARES = "nothing of yours but the global model that your update went into"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """The numbers of one cohort; `threshold` 0 where only its roster will tell."""

    size: int
    colluders: int
    minimum: int
    threshold: int

    @property
    def least(self) -> int:
        """The least nodes of a sum that this node votes for."""
        return max(self.minimum, graph.quorum(self.size, self.colluders))

    @property
    def hidden_in(self) -> int:
        """Over how many honest nodes a sum goes at least, if all colluders put together."""
        return min(self.minimum, self.threshold or self.minimum) - self.colluders


def cohort_of(plan: Plan, size: int) -> Cohort:
    """What a masked plan promises of a cohort of this size, before its roster is here."""
    numbers = masking.numbers(plan, size)
    full = size <= graph.FULL_UP_TO
    return Cohort(
        size=size,
        colluders=numbers.colluders,
        minimum=numbers.minimum,
        threshold=graph.quorum(size, numbers.colluders) if full else 0,
    )


def cohort_in(roster: Roster) -> Cohort:
    """The numbers of a roster that this node went along with."""
    size = len(roster.entries)
    return Cohort(
        size=size,
        colluders=roster.colluders,
        minimum=roster.minimum,
        threshold=graph.threshold(size, roster.colluders, roster.degree),
    )


def numbers_of(cohort: Cohort) -> Numbers:
    """How many nodes must stay to the end, and how many open a secret."""
    return Numbers(need=cohort.least, threshold=cohort.threshold)


def seen(
    plan: Plan, role: Role, cohort: Cohort | None = None, *, roster_hash: str = ""
) -> Privacy:
    """What the screen says; without a cohort that of the smallest one that the plan allows."""
    if role != "participant":
        return _of_a_bystander(plan, role)
    if not plan.masked:
        return Privacy(
            coordinator_sees="each update of yours, the number of your examples and your sums",
            others_see=_NO_SHARES,
            if_collude="the coordinator needs nobody's help: it reads your updates",
            cohort=0 if cohort is None else cohort.size,
        )
    one = cohort or cohort_of(plan, plan.minimum)
    nodes = "1 node" if one.colluders == 1 else f"{one.colluders} nodes"
    return Privacy(
        masked=True,
        cohort=one.size,
        threshold=one.threshold,
        minimum=one.minimum,
        colluders=one.colluders,
        coordinator_sees=(
            f"only sums over {one.least} nodes or more, yours among them; and who takes part, when"
        ),
        others_see=(
            "the global model; with its own update taken away, a node can learn the sum of the "
            f"other {one.least - 1} or more"
        ),
        if_collude=(
            f"the coordinator and up to {nodes}: at most sums over {one.hidden_in} other nodes or "
            "more; if more collude, nothing is promised"
        ),
        keystream=KEYSTREAM,
        roster_hash=roster_hash,
    )


def roster_hash(attempt: Attempt, roster: Roster) -> str:
    """What every node of this attempt must see alike, as 64 hex digits (ctx2)."""
    body = context.RosterBody(
        entries=roster.entries,
        colluders=roster.colluders,
        minimum=roster.minimum,
        degree=roster.degree,
    )
    return context.roster_context(attempt.context(), body).hex()


def ids_in(roster: Roster) -> tuple[bytes, ...]:
    """Who is in a roster that this node went along with: 32-byte ids, in its order."""
    return tuple(context.identity_of(entry).id for entry in roster.entries)


def peers(
    ids: tuple[bytes, ...],
    *,
    me: bytes,
    new: Collection[bytes] = (),
    kept: Collection[int] | None = None,
) -> tuple[Peer, ...]:
    """The nodes of a roster; those that are not at a `kept` position are lost.

    Of more than MAX_PEERS those matter most that are this node, new or lost.
    """
    found = [
        Peer(
            fingerprint=fingerprint(one),
            is_new=one in new,
            is_me=one == me,
            lost=kept is not None and place not in kept,
        )
        for place, one in enumerate(ids)
    ]
    if len(found) > MAX_PEERS:
        found.sort(key=lambda peer: not (peer.is_me or peer.is_new or peer.lost))
    return tuple(found[:MAX_PEERS])


def _of_a_bystander(plan: Plan, role: Role) -> Privacy:
    """Of a node that trains nothing: its sums, if it gives any, are its own."""
    gives = "the sums over your test examples, of each model" if role == "evaluator" else "nothing"
    return Privacy(
        masked=plan.masked,
        coordinator_sees=f"{gives}, beside your name, keys, address and times",
        others_see="nothing of yours",
        if_collude="no more than the coordinator sees by itself",
    )
