"""How small the updates of a plan are made, and by what: a pure function of plan and model size.

A plan says it itself, by `[[transforms]]` and `[privacy] lanes`; or it says how many bytes an
update may have, `[traffic] update_bytes`, and what loses least is chosen here, alike everywhere:

    masked     2, 3, 4 lanes (as long as the cohort leaves a lane MIN_VALUE_BITS), rotated by
               hadamard from 3 lanes on; then a random subset on top, as large as fits
    visible    everything if it fits, else top_k of as many values as fit

Rotated values are near the length of the update / sqrt(n). So where updates are bounded
(update_clip) and the plan says no value_range, it is RANGE_STEPS times that: fewer than one in ten
million values are cut, but for those in a short last block. Under [dp] the noise of a node has its
room beside that (rounds/hiding.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, get_args

from fedtui import plugins
from fedtui.rounds import beside, hiding, strategic
from fedtui.rounds.shrinking import Chain, built
from fedtui.secagg.encoding import MIN_VALUE_BITS, Encoding
from fedtui.transforms.base import BLOCK

if TYPE_CHECKING:
    from fedtui.learning.params import Manifest
    from fedtui.rounds.plan import Options, Plan, PrivacySection

DEFAULT_RANGE = 4.0
RANGE_STEPS = 6.0
_PARTS = 10**6  # fractions are chosen in millionths
_MOST_TOP = 0.5
_KEPT = 32  # choices, of different plans and sizes; each is asked for in every round
Lanes = Literal[2, 3, 4]
Steps = tuple[tuple[str, "Options"], ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """What a plan makes of its updates: `steps` are (name, options) of transforms, in order."""

    lanes: Lanes
    steps: Steps

    @property
    def chain(self) -> Chain:
        """Raises PluginError."""
        return built(self.steps)

    @property
    def rotates(self) -> bool:
        return any(name == "hadamard" for name, _ in self.steps)


def chosen(plan: Plan, num_values: int) -> Choice:
    """For updates of `num_values`. If nothing fits into the budget it is the smallest there is.

    Raises PluginError for transforms that there are not.
    """
    steps: Steps = tuple((one.name, dict(one.options)) for one in plan.transforms)
    plain = Choice(plan.privacy.lanes, steps)
    budget = plan.traffic.update_bytes
    if budget is None or plan.transforms:
        return plain
    return (
        _masked(_Form.of(plan), num_values, budget)
        if plan.masked
        else _visible(num_values, budget)
    )


@dataclass(frozen=True, slots=True)
class _Form:
    """All of a plan that says how an update of it is written under masks; hashable."""

    privacy: PrivacySection
    clip: float | None
    scalars: tuple[str, ...]
    room: float | None
    """For the noise of a node, beyond its values; None without [dp]."""

    @classmethod
    def of(cls, plan: Plan) -> _Form:
        room = None if plan.dp is None else hiding.room(plan)
        return cls(plan.privacy, plan.training.update_clip, beside.update_scalars(plan), room)

    def encoding(self, choice: Choice, num_values: int) -> Encoding:
        of = choice.chain
        return Encoding(
            num_values=of.num_sent(num_values),
            scalars=self.scalars,
            lanes=choice.lanes,
            largest_cohort=self.privacy.largest_cohort,
            value_range=self.value_range(choice, num_values),
        )

    def value_range(self, choice: Choice, num_values: int) -> float:
        """What is said, or what suits updates of a bounded length, and the noise of a node."""
        if self.privacy.value_range is not None:
            return self.privacy.value_range
        return self._values(choice, num_values) + (self.room or 0.0)

    def _values(self, choice: Choice, num_values: int) -> float:
        """Beyond what values are cut that have no noise."""
        if self.clip is None or not num_values:
            return DEFAULT_RANGE
        if not choice.rotates:
            return DEFAULT_RANGE if self.room is None else self.clip
        names = [name for name, _ in choice.steps]
        mixed = choice.chain.sizes(min(BLOCK, num_values))[names.index("hadamard")]
        return self.clip * min(1.0, RANGE_STEPS / math.sqrt(1 << (mixed.bit_length() - 1)))

    def num_bits(self, lanes: int) -> int:
        """Of a value, beside the room that adding up needs."""
        return 64 // lanes - (max(2, self.privacy.largest_cohort) - 1).bit_length()


@lru_cache(maxsize=_KEPT)
def _masked(form: _Form, num_values: int, budget: int) -> Choice:
    last = Choice(form.privacy.lanes, ())
    for lanes in get_args(Lanes):
        if lanes < form.privacy.lanes or form.num_bits(lanes) < MIN_VALUE_BITS:
            continue
        last = Choice(lanes, (("hadamard", {}),) if lanes > 2 else ())
        if form.encoding(last, num_values).num_bytes <= budget:
            return last

    def subset(parts: int) -> Choice:
        return Choice(last.lanes, (("random_subset", {"fraction": parts / _PARTS}), *last.steps))

    low, high = 1, _PARTS  # low is taken, fit or not; high does not fit
    while high - low > 1:
        middle = (low + high) // 2
        fits = form.encoding(subset(middle), num_values).num_bytes <= budget
        low, high = (middle, high) if fits else (low, middle)
    return subset(low)


@lru_cache(maxsize=_KEPT)
def _visible(num_values: int, budget: int) -> Choice:
    if 4 * num_values <= budget:
        return Choice(2, ())

    def top(parts: int) -> Choice:
        return Choice(2, (("top_k", {"fraction": parts / _PARTS}),))

    low, high = 1, round(_MOST_TOP * _PARTS) + 1
    while high - low > 1:
        middle = (low + high) // 2
        fits = 4 * top(middle).chain.num_sent(num_values) <= budget
        low, high = (middle, high) if fits else (low, middle)
    return top(low)


def chain(plan: Plan, num_values: int) -> Chain:
    """The transforms of a plan whose model, with what travels along, has so many values."""
    return chosen(plan, num_values).chain


def holds(plan: Plan, num_values: int) -> bool:
    """Whether nodes keep something from round to round, for strategy or transforms."""
    return bool(strategic.held(plan)) or chain(plan, num_values).remembers


def encoding(plan: Plan, num_values: int) -> Encoding:
    """How an update is written under masks."""
    return _Form.of(plan).encoding(chosen(plan, num_values), num_values)


def update_bytes(plan: Plan, num_values: int) -> int:
    """What one update has on its way out."""
    if plan.masked:
        return encoding(plan, num_values).num_bytes
    return 4 * chain(plan, num_values).num_sent(num_values)


def conflicts(plan: Plan) -> list[str]:
    """Every way in which transforms and plan do not fit, each a sentence that says what to do."""
    found = _unknown(plan)
    if found:
        return found
    made = [(one.name, plugins.builder("transforms", one.name)) for one in plan.transforms]
    for at, (name, kind) in enumerate(made):
        if not kind.summable and plan.masked:
            found.append(
                f"[[transforms]] {name}: nodes choose other values each, which cannot be added "
                'up under masks: take random_subset, or write [privacy] updates = "visible"'
            )
        if not kind.summable and at + 1 < len(made):
            found.append(f"[[transforms]] {name}: nothing can come after it: put it last")
    lossy = [name for name, kind in made if not kind.lossless]
    if plan.traffic.update_bytes is not None and not made:
        lossy = ["[traffic] update_bytes"]
    if lossy and _wants_all(plan):
        found.append(
            f"[[transforms]] {lossy[0]}: strategy {plan.strategy.name} reckons with all that its "
            "nodes send: leave it out, or choose another strategy"
        )
    if _few_bits(plan) and plan.weights.by == "examples" and plan.weights.cap is None:
        found.append(
            "[weights] cap: few bits are left for a value, which is multiplied by examples / cap "
            "first, and a cap of 65536 would leave nothing of it: write about the number of "
            'examples of a large node, or by = "equal"'
        )
    return found


def _wants_all(plan: Plan) -> bool:
    """Whether the strategy is none any more if some of what nodes learned does not arrive."""
    try:
        strategy = strategic.built(plan)
    except plugins.PluginError:  # said elsewhere
        return False
    return bool(strategy.carried) or "whole updates" in strategy.wants


def _few_bits(plan: Plan) -> bool:
    rotated = any(one.name == "hadamard" for one in plan.transforms)
    return plan.masked and (rotated or plan.traffic.update_bytes is not None)


def _unknown(plan: Plan) -> list[str]:
    known, found = plugins.names("transforms"), []
    for one in plan.transforms:
        if one.name not in known:
            found.append(
                f"[[transforms]] name: there is no transform {one.name!r}"
                f"{plugins.nearest(one.name, known)} (there are: {', '.join(known)})"
            )
            continue
        try:
            plugins.build("transforms", one.name, **one.options)
        except plugins.PluginError as error:
            found.append(f"[[transforms]] {error}")
    return found


def misfit_of(plan: Plan, manifest: Manifest) -> str:
    """Why a plan without conflicts cannot be followed with such a model; empty if it can."""
    return strategic.misfit(plan, manifest) or misfit(plan, manifest.num_values)


def misfit(plan: Plan, num_values: int) -> str:
    """Why updates of so many values cannot be sent within the plan's budget; empty if they can.

    The plan must be without conflicts.
    """
    if plan.masked and (why := hiding.misfit(plan, encoding(plan, num_values))):
        return why
    budget = plan.traffic.update_bytes
    if budget is None or (least := update_bytes(plan, num_values)) <= budget:
        return ""
    said = f"[traffic] update_bytes = {budget}:"
    if plan.transforms:
        return (
            f"{said} [[transforms]] make an update of {least} bytes of this model: allow more, or "
            "send fewer values"
        )
    return f"{said} of this model it can be made no smaller than {least} bytes: allow more"
