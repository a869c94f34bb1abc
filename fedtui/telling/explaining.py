"""What a plan guarantees, in plain words: who learns what, at which epsilon and price. Pure.

The epsilons are asked of whoever calls (`ask` is fedtui.privacy.accounting.epsilons_now), all at
once. Nothing here promises what docs/threat-model.md and docs/privacy.md do not.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from fedtui.privacy.spending import Release
from fedtui.rounds import claims, hiding, masking, promised
from fedtui.secagg import graph
from fedtui.telling import bounds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fedtui.rounds.plan import Plan

    EpsilonsOf = Callable[[Sequence[Sequence[Release]], float], list[float]]

_MOST_ROWS = 5
_WEAK = 10.0
_POOR = 1.0
_HOPELESS = 10.0


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Sentences under a title."""

    title: str
    sentences: tuple[str, ...]


class League(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of the promise if so many nodes are in league with the coordinator.

    Epsilons are None where there is no bound: without noise, or where it is hardly any.
    """

    colluders: int
    holds: str
    noise: float
    epsilon_round: float | None
    epsilon_total: float | None


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer; `noise` and epsilons are those of [dp] at what is guaranteed."""

    federation: str
    cohort: int
    rounds: int
    masked: bool
    mechanism: str
    noise: float | None
    delta: float | None
    epsilon_round: float | None
    epsilon_total: float | None
    league: tuple[League, ...]
    parts: tuple[Part, ...]
    warnings: tuple[str, ...]

    def text(self) -> str:
        """For people, in lines."""
        lines = [f"{self.federation}: what this plan guarantees"]
        for part in self.parts:
            lines += ["", part.title, *(f"  - {sentence}" for sentence in part.sentences)]
        if self.league:
            lines += ["", *_table(self.league)]
        lines += ["", "Warnings"] if self.warnings else []
        lines += [f"  ! {warning}" for warning in self.warnings]
        return "\n".join(lines)


def explain(
    plan: Plan, ask: EpsilonsOf, *, num_values: int | None = None, members: int = 0
) -> Explained:
    """Everything about a plan without conflicts.

    `num_values` are those of the model, if it is known; `members` nodes are approved. Whatever
    `ask` raises comes through.
    """
    cohort = promised.cohort(plan, members)
    noises = [promised.in_league(plan, cohort, k) for k in _counts(plan, cohort)]
    noises += [promised.guaranteed(plan)]
    found: list[float | None] = []
    if plan.dp is not None and plan.dp.delta is not None:
        histories = [[Release(noise, n)] for noise in noises for n in (1, plan.rounds.maximum)]
        found = [e if e < math.inf else None for e in ask(histories, plan.dp.delta)]
    *of_leagues, each, total = found or [None, None]
    return Explained(
        federation=plan.federation.name,
        cohort=cohort,
        rounds=plan.rounds.maximum,
        masked=plan.masked,
        mechanism=plan.dp.mechanism if plan.dp is not None else "",
        noise=plan.dp.noise if plan.dp is not None else None,
        delta=plan.dp.delta if plan.dp is not None else None,
        epsilon_round=each,
        epsilon_total=total,
        league=_league(plan, cohort, of_leagues),
        parts=(*_parts(plan, cohort, each, total), *_bound(plan, num_values)),
        warnings=tuple(_warnings(plan, cohort, total, num_values, members)),
    )


def _counts(plan: Plan, cohort: int) -> list[int]:
    """Colluders to speak of, the last one beyond what the plan reckons with."""
    if plan.dp is None or plan.dp.mechanism != "distributed":
        return []
    most = masking.numbers(plan, cohort).colluders
    return sorted({*range(min(most, _MOST_ROWS)), most // 2, most, most + 1})


def _league(plan: Plan, cohort: int, epsilons: list[float | None]) -> tuple[League, ...]:
    """`epsilons` are those of a round and of all, of each of `_counts`."""
    if not epsilons:
        return ()
    most = masking.numbers(plan, cohort).colluders
    open_now = "masks may open: a node's own noise is all that is left"
    return tuple(
        League(
            colluders=k,
            holds="sums only" if k <= most else open_now,
            noise=promised.in_league(plan, cohort, k),
            epsilon_round=epsilons[2 * row],
            epsilon_total=epsilons[2 * row + 1],
        )
        for row, k in enumerate(_counts(plan, cohort))
    )


def _parts(plan: Plan, cohort: int, each: float | None, total: float | None) -> list[Part]:
    found = [
        Part(title="Who can learn what", sentences=_who(plan)),
        Part(title="What a round needs", sentences=_needs(plan, cohort)),
    ]
    if plan.dp is not None:
        found.append(Part(title="Noise", sentences=_noise(plan, cohort)))
        found.append(Part(title="What a node spends", sentences=_spent(plan, each, total)))
    return [*found, Part(title="What leaves without noise", sentences=_bare(plan))]


def _bound(plan: Plan, num_values: int | None) -> tuple[Part, ...]:
    """What it is worth depends on the size of the model."""
    if num_values is None:
        return ()
    return (Part(title="What bounds an update", sentences=(bounds.of_updates(plan, num_values),)),)


def _who(plan: Plan) -> tuple[str, ...]:
    if not plan.masked:
        noise = plan.dp is not None and plan.dp.mechanism == "local"
        seen = "each update, with its node's own noise" if noise else "each update as it is"
        return (f"the coordinator reads {seen}; other nodes see the global model only",)
    found = [
        claims.of_plan(plan),
        "a sum is not hidden by masks: of few nodes, or of one dominant node, it shows much, and "
        "sums of rounds with slightly different cohorts can be subtracted",
        "other nodes see the global model, and that is all",
    ]
    if plan.privacy.group is not None:
        found.append(
            f"the price of rules that see groups: a node hides among the {plan.privacy.group} or "
            "more of its group, not among the whole cohort"
        )
    return tuple(found)


def _needs(plan: Plan, cohort: int) -> tuple[str, ...]:
    begins = f"{plan.minimum} nodes at least; with the nodes that are known it invites {cohort}"
    if not plan.masked:
        return (begins,)
    numbers = masking.numbers(plan, cohort)
    of = "each group" if numbers.group else "its sum"
    return (
        begins,
        f"of these {cohort}, {numbers.quorum} stay to the end and {of} has {numbers.minimum} "
        f"nodes or more, or nothing is opened; {numbers.colluders} may be in league with the "
        "coordinator. Every node works these numbers out itself and refuses a round with others",
    )


def _noise(plan: Plan, cohort: int) -> tuple[str, ...]:
    dp, clip = plan.dp, plan.training.update_clip
    if dp is None or clip is None:
        return ()
    bound = (
        f"a node moves a sum by no more than {clip:g} (L2): it clips its update itself, and the "
        f"noise has a sigma of {dp.noise:g} times that in each value"
    )
    match dp.mechanism:
        case "central":
            return (
                bound,
                "central: the coordinator adds it to the mean before anybody sees the model. The "
                "promise holds against nodes and whoever reads the model; the coordinator itself "
                "is trusted with " + ("exact sums" if plan.masked else "every update"),
            )
        case "local":
            return (
                bound,
                "local: every node adds all of it to its own update. The promise holds against "
                "everybody and needs nobody's honesty but the node's own; it costs the most "
                "accuracy, as the noise of all nodes adds up",
            )
        case "distributed":
            numbers = masking.numbers(plan, cohort)
            honest = hiding.honest_of(numbers.minimum, numbers.colluders)
            own = dp.noise / math.sqrt(honest)
            return (
                bound,
                f"distributed: every node adds a share of it, {own:.3g} times the bound, below "
                f"its mask. The {honest} honest nodes of the smallest sum carry all that is "
                f"promised (at least {numbers.minimum} nodes, {numbers.colluders} of them in "
                "league); no coordinator is trusted with it",
                *_on_a_ring(plan, cohort),
            )


def _on_a_ring(plan: Plan, cohort: int) -> tuple[str, ...]:
    """In large cohorts no node knows of all others what they were told."""
    if plan.privacy.group is not None or cohort <= graph.FULL_UP_TO:
        return ()
    least = claims.of_round(plan, invited=cohort, ready=cohort).num_honest
    return (
        f"with more than {graph.FULL_UP_TO} nodes this holds against a coordinator that keeps to "
        "the protocol, in league or not; of one that tells each node something else no more than "
        f"{least} honest nodes of a sum are proven",
    )


def _spent(plan: Plan, each: float | None, total: float | None) -> tuple[str, ...]:
    dp = plan.dp
    if dp is None or dp.delta is None:
        return ()
    cap = (
        f"the plan allows {dp.epsilon:g}, and holds"
        if dp.epsilon is not None
        else "the plan sets no bound ([dp] epsilon)"
    )
    return (
        f"epsilon {_number(each)} in each round that it takes part in, at delta {dp.delta:g}",
        f"epsilon {_number(total)} in all {plan.rounds.maximum} rounds together; {cap}",
        f"so whoever guesses from all models whether a node took part is helped by {_odds(total)}",
        "counted for every node as if it were in every round: that it might not be picked gains "
        "nothing, as the coordinator knows who was. An attempt that fails after updates were sent "
        "may have been seen, and counts as a round",
        "one node is protected, with all its examples: the promise is about adding or taking away "
        "a node (its update, whole), not about one example",
    )


def _bare(plan: Plan) -> tuple[str, ...]:
    found = [
        "which nodes take part, when, from which address, how long they need and how much is sent"
    ]
    if plan.weights.by == "plan":
        found.append(f"what a node declares of {plan.weights.attribute!r}, and so its weight")
    elif plan.weights.by == "examples" and not plan.masked:
        found.append("how many examples each node has")
    elif plan.weights.by == "examples":
        found.append("how many examples the nodes of a sum have together")
    if plan.evaluation.with_evaluator:
        found.append(
            "the evaluator's scores of each model, on its own test examples; of the nodes' "
            "examples they say no more than the model does"
        )
    if plan.evaluation.held_out and not plan.evaluation.with_evaluator:
        sums = "their sums over all nodes" if plan.masked else "each node's sums"
        found.append(f"how each model does on what nodes hold out: {sums}")
    if plan.dp is None:
        found.append("everything: the plan has no [dp], so sums, means and models are exact")
    return tuple(found)


def _warnings(
    plan: Plan, cohort: int, total: float | None, num_values: int | None, members: int
) -> list[str]:
    if plan.dp is None:
        return []
    found = promised.delta_conflicts(plan, promised.num_known(plan, members))
    if total is None or total > _WEAK:
        found.append(
            f"epsilon {_number(total)} is a weak promise: above {_WEAK:g} hardly anything is "
            "ruled out for whoever knows a lot. More noise, fewer rounds or more nodes help"
        )
    if num_values is None:
        found.append(
            "the model is not known here, so nothing is said of accuracy: try the plan with "
            "fedtui-simulate, or explain the coordinator's folder"
        )
        return found
    ratio = length_of_noise(plan, cohort, num_values)
    if ratio <= _POOR:
        return found
    needed = math.ceil(cohort * (ratio if plan.dp.mechanism != "local" else ratio**2))
    poor = "the model will learn next to nothing" if ratio > _HOPELESS else "expect poor accuracy"
    found.append(
        f"{poor}: with {cohort} nodes the noise in their mean of {num_values:,} values is "
        f"{ratio:.3g} times as long as any update may be. About {needed:,} nodes a round would "
        "bring it down to one; a smaller model, more rounds at the same epsilon or noise for "
        "single examples inside the nodes are other ways"
    )
    return found


def length_of_noise(plan: Plan, cohort: int, num_values: int) -> float:
    """The expected L2 length of the noise in a round's mean, next to the longest update (clip)."""
    if plan.dp is None:
        return 0.0
    whole = plan.dp.noise * math.sqrt(num_values)
    match plan.dp.mechanism:
        case "central":
            return whole / cohort
        case "local":
            return whole / math.sqrt(cohort)
        case "distributed":
            numbers = masking.numbers(plan, cohort)
            honest = hiding.honest_of(numbers.minimum, numbers.colluders)
            return whole / math.sqrt(cohort * honest)


def _odds(total: float | None) -> str:
    """By which factor: exp(epsilon)."""
    if total is None or total > math.log(1e6):
        return "as much as they like: the odds may change a millionfold and more"
    return f"a factor of {math.exp(total):,.3g} in the odds at most, but for delta"


def _number(epsilon: float | None) -> str:
    return "without bound" if epsilon is None else f"{epsilon:.4g}"


def _table(rows: tuple[League, ...]) -> list[str]:
    lines = ["In league with the coordinator", "  nodes   noise   epsilon a round   in all rounds"]
    return lines + [
        f"  {row.colluders:>5}  {row.noise:>6.3g}   {_number(row.epsilon_round):>15}   "
        f"{_number(row.epsilon_total):>13}   {row.holds}"
        for row in rows
    ]
