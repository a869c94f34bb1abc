"""Picking: who is invited to an attempt, how many are enough, and how long they may work.

What a rule of fedtui/selection knows of the past follows from the rounds that were committed and
from each node's newest counted update, both of which a restart reads back: so the same seed, round
and attempt pick the same cohort in whatever life of the coordinator. Attempts that failed leave no
trace. From the third attempt of a round on chance alone picks, whatever the rule: one that insists
on nodes that fail would never come to an end.

With `[deadlines] learn` the time for the work is `slack` times the `quantile` of the times that
nodes needed last, never more than the plan's own. Who was picked last and did not count is taken
to be slower than all others; without that, each deadline would be learned from those who met the
one before, and they would become shorter for ever. After a failed attempt the plan's own holds.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from fedtui import plugins
from fedtui.rounds import guiding, lateness, masking
from fedtui.rounds.history import Answer, FederationSnapshot, FinishedRound
from fedtui.rounds.plan import Plan
from fedtui.selection.base import Candidate, Selection
from fedtui.selection.uniform import Uniform

NUM_BY_THE_RULE = 2
"""So many attempts of a round pick by the plan's rule."""
LEAST_S = 1.0
"""No learned deadline is shorter: below this, the times of messages matter more than the work."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for one attempt: it closes with `enough` updates, the work ends `within_s`.

    None: with those of all who are left, and when the plan says so. `declared` is what the nodes
    of the cohort declare, as far as the plan asks.
    """

    enough: int | None = None
    within_s: float | None = None
    declared: Mapping[bytes, Mapping[str, str]] = field(default_factory=dict, compare=False)


@dataclass(slots=True)
class _Past:
    """A node's part in the committed rounds."""

    num_picked: int = 0
    num_counted: int = 0
    last_round: int = 0
    missed: bool = False
    answer: Answer | None = None


class Picker:
    """The plan's selection rule, and all it may know."""

    def __init__(self, plan: Plan, snapshot: FederationSnapshot) -> None:
        self._plan = plan
        chosen = plan.selection
        self.rule: Selection = plugins.build("selection", chosen.name, **chosen.options)
        self.guide = guiding.guide_of(plan)
        self._past: dict[bytes, _Past] = {}
        for finished in snapshot.rounds:
            self.finished(finished, {})
        for node, answer in snapshot.answers.items():
            self._of(node).answer = answer

    def finished(self, done: FinishedRound, answers: Mapping[bytes, Answer]) -> None:
        """A round was committed."""
        counted = frozenset(done.survivors)
        for node in done.cohort:
            past = self._of(node)
            past.num_picked += 1
            past.last_round = done.round
            past.missed = node not in counted
            past.num_counted += node in counted
        for node, answer in answers.items():
            self._of(node).answer = answer

    def _of(self, node: bytes) -> _Past:
        return self._past.setdefault(node, _Past())

    def pick(
        self, present: Mapping[bytes, Mapping[str, str]], number: int, attempt: int
    ) -> tuple[frozenset[bytes], Terms]:
        """The cohort of this attempt, from nodes with what they declare, and its terms."""
        size = self.size(len(present))
        rule = self.rule if attempt <= NUM_BY_THE_RULE else Uniform()
        invited = min(math.ceil(size * rule.over - 1e-9), len(present))
        if lateness.stalest(self._plan):
            invited = len(present)
        if self._plan.masked:
            invited = min(invited, self._plan.privacy.largest_cohort)
        rng = np.random.default_rng([self._plan.seed, number, attempt])
        candidates = [self.candidate(node, present[node]) for node in sorted(present)]
        cohort = self._picked(rule, candidates, invited, rng, number)
        cohort = guiding.with_guide(self.guide, cohort, present)
        within_s = self.within_s() if attempt == 1 else None
        enough = size
        if self._plan.masked:
            enough = max(size, masking.least_ready(self._plan, max(invited, size), size))
        return cohort, Terms(
            enough if enough < len(cohort) else None,
            within_s,
            {node: present[node] for node in cohort},
        )

    def _picked(
        self,
        rule: Selection,
        candidates: list[Candidate],
        invited: int,
        rng: np.random.Generator,
        number: int,
    ) -> frozenset[bytes]:
        """Whom the rule picks. PluginError if it fails, or picks others than it must."""
        what = f"the selection {self._plan.selection.name!r}"
        try:
            cohort = frozenset(rule.pick(candidates, invited, rng, number))
        except Exception as error:
            raise plugins.PluginError(plugins.fault(what, error)) from error
        strangers = len(cohort - {one.node for one in candidates})
        if strangers or len(cohort) != invited:
            raise plugins.PluginError(
                f"{what} picked {len(cohort)} nodes, {strangers} of which are not present, "
                f"instead of {invited} of those {len(candidates)} present"
            )
        return cohort

    def size(self, num_present: int) -> int:
        """How many nodes a round wants to count, of so many that are present."""
        chosen = self._plan.selection
        size = chosen.count or math.ceil(chosen.fraction * num_present - 1e-9)
        size = min(max(size, self._plan.minimum), num_present)
        return min(size, self._plan.privacy.largest_cohort) if self._plan.masked else size

    def candidate(self, node: bytes, declared: Mapping[str, str]) -> Candidate:
        """What the rule may know of a node."""
        past = self._past.get(node, _Past())
        answer = past.answer
        num_examples = answer.sums.get("examples", 0.0) if answer is not None else 0.0
        told = answer is not None and num_examples >= 1
        return Candidate(
            node,
            num_picked=past.num_picked,
            num_counted=past.num_counted,
            last_round=past.last_round,
            missed=past.missed,
            seconds=answer.seconds if answer is not None else None,
            num_examples=int(num_examples) if told else None,
            loss=answer.sums.get("loss_sum", 0.0) / num_examples if answer and told else None,
            declared=declared,
        )

    def within_s(self) -> float | None:
        """The learned time for the work; None if it is not learned, or not known yet."""
        deadlines = self._plan.deadlines
        if not deadlines.learn:
            return None
        learned = learned_s(
            (
                math.inf if past.missed or past.answer is None else past.answer.seconds
                for past in self._past.values()
            ),
            quantile=deadlines.quantile,
            slack=deadlines.slack,
        )
        return learned if learned < deadlines.update_s else None


def learned_s(times: Iterable[float], *, quantile: float, slack: float) -> float:
    """`slack` times the `quantile` of the times, at least LEAST_S; infinite of none.

    The quantile is a time that was needed: the least that so large a share of them is within.
    """
    known = sorted(times)
    if not known:
        return math.inf
    at = min(len(known), max(1, math.ceil(quantile * len(known) - 1e-9)))
    return max(LEAST_S, slack * known[at - 1])
