"""Who can learn what in the rounds of a plan, in numbers and sentences; who is in a roster. Pure.

The sentences say what docs/threat-model.md claims, with numbers put in (rounds/claims.py): what
holds in every cohort of the plan while no round runs, what holds of the cohort that was offered,
then of the roster that this node has checked, and of the sum that it voted for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedtui.crypto.keys import fingerprint
from fedtui.rounds import claims, hiding, masking, masking_steps, promised
from fedtui.rounds.claims import Claim
from fedtui.rounds.masked_work import names
from fedtui.secagg import context, graph
from fedtui.status import Peer, Privacy
from fedtui.telling.rounds_here import Numbers
from fedtui.wire.messages import Offer

if TYPE_CHECKING:
    from collections.abc import Collection

    from fedtui.rounds.plan import Plan
    from fedtui.secagg.context import Attempt, Purpose, RosterBody
    from fedtui.wire.masked_messages import Roster
    from fedtui.wire.messages import Evaluate, Role

MAX_PEERS = 500
_NO_SHARES = "nothing of yours but the global model that your update went into"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """One masked cohort. A sum has `least` nodes or more, `claim` says what is claimed of it.

    Before its roster is here, `claim` is of the smallest roster that the cohort may come down to,
    and `threshold` that of the largest.
    """

    claim: Claim
    least: int
    threshold: int


def cohort_of(plan: Plan, size: int) -> Cohort:
    """What a masked plan promises of a cohort of this size, before its roster is here."""
    minimum = masking.numbers(plan, size).minimum
    return Cohort(
        claim=claims.of_round(plan, invited=size, ready=min(size, minimum)),
        least=minimum,
        threshold=claims.of_round(plan, invited=size, ready=size).threshold,
    )


def cohort_in(roster: RosterBody, *, invited: int) -> Cohort:
    """The same of a roster, or its group, that this node went along with."""
    size = len(roster.entries)
    threshold = graph.threshold(size, roster.colluders, roster.degree)
    claim = Claim(
        invited=invited,
        ready=size,
        colluders=roster.colluders,
        minimum=roster.minimum,
        threshold=threshold,
    )
    least = max(roster.minimum, graph.quorum(size, roster.colluders))
    return Cohort(claim=claim, least=least, threshold=threshold)


def numbers_of(cohort: Cohort) -> Numbers:
    """How many nodes must stay to the end, and how many open a secret."""
    return Numbers(ready=cohort.claim.ready, need=cohort.least, threshold=cohort.threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What a roster that this node went along with fixes; `hash` is 64 hex digits (ctx2)."""

    hash: str = ""
    keystream: str = ""


def seen(
    plan: Plan, role: Role, cohort: Cohort | None = None, *, agreed: Agreed | None = None
) -> Privacy:
    """What the screen says; without a cohort what holds in every one that the plan allows."""
    if role != "participant":
        return _of_a_bystander(plan, role)
    if not plan.masked:
        return Privacy(
            coordinator_sees="each update of yours, the number of your examples and your sums",
            others_see=_NO_SHARES,
            if_collude="the coordinator needs nobody's help: it reads your updates",
            noise=promised.who_adds(plan),
        )
    one = cohort or cohort_of(plan, plan.minimum)
    claim = one.claim
    collude = claims.sentence(claim) if cohort else claims.of_plan(plan)
    return Privacy(
        masked=True,
        cohort=claim.ready if agreed else claim.invited,
        threshold=one.threshold,
        minimum=claim.minimum,
        colluders=claim.colluders,
        coordinator_sees=(
            f"only sums over {one.least} nodes or more, yours among them; and who takes part, when"
        ),
        others_see=(
            "the global model; with its own update taken away, a node can learn the sum of the "
            f"other {one.least - 1} or more"
        ),
        if_collude=collude,
        keystream=agreed.keystream if agreed else plan.privacy.keystream,
        roster_hash=agreed.hash if agreed else "",
        noise=promised.who_adds(plan),
    )


def agreed_on(attempt: Attempt, roster: Roster) -> Agreed:
    """What every node of this attempt must see alike."""
    return Agreed(
        hash=context.roster_context(attempt.context(), context.body_of(roster)).hex(),
        keystream=context.keystream_of(attempt, roster.entries),
    )


def ids_in(roster: RosterBody) -> tuple[bytes, ...]:
    """Who is in a roster, or its group, of this node: 32-byte ids, in its order."""
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


def in_cohort(plan: Plan, work: Offer | Evaluate | None) -> str:
    """For the ledger: among how many what leaves is hidden."""
    if work is None:
        return ""
    purpose: Purpose = "update" if isinstance(work, Offer) else "evaluation"
    numbers = masking.numbers(plan, work.cohort_size, purpose)
    among = f"groups of {numbers.group} or more in a" if numbers.group else ""
    said = f"{among} cohort of {work.cohort_size}".strip()
    return f" ({said}, sums of {numbers.minimum} or more)"


def noise_in(plan: Plan, work: Offer | Evaluate | None) -> str:
    """For the ledger: how an update is hidden under [dp]; empty of one that is not."""
    if not isinstance(work, Offer):
        return ""
    numbers = masking.numbers(plan, work.cohort_size)
    noise = hiding.at_node(plan, hiding.honest_of(numbers.minimum, numbers.colluders))
    if noise is None:
        return ""
    bound = f", clipped to {noise.clip:g}"
    if not noise.sigma:
        return f"{bound}; the coordinator adds the noise"
    return f"{bound}, with noise of {noise.sigma:.3g} added to each value"


def what_is_known(plan: Plan, vote: masking_steps.Journal, cohort_size: int) -> str:
    """Who can learn what of this node's update from the sum that it voted for.

    That the coordinator sees the sum, and that colluders can take their own updates away from it,
    no masks can change.
    """
    size, claim = vote.num_survivors, vote.claim
    if claim is None:
        claim = claims.of_round(plan, invited=cohort_size, ready=cohort_size)
    lost = f", without {names(vote.lost)}" if vote.lost else ""
    where = "in its group" if plan.privacy.group is not None else "that were ready"
    return (
        f"round {vote.attempt.round}: your update is in a sum of {size} nodes, of {claim.ready} "
        f"{where}{lost}; {claim.threshold} of them open it; {claims.sentence(claim)}, and "
        f"all the other {size - 1} together would know your update"
    )


def _of_a_bystander(plan: Plan, role: Role) -> Privacy:
    """Of a node that trains nothing: its sums, if it gives any, are its own."""
    gives = "the sums over your test examples, of each model" if role == "evaluator" else "nothing"
    return Privacy(
        masked=plan.masked,
        coordinator_sees=f"{gives}, beside your name, keys, address and times",
        others_see="nothing of yours",
        if_collude="no more than the coordinator sees by itself",
    )
