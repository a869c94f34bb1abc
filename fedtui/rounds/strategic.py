"""What a plan's strategy is, and what it wants of the rest of the plan."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from fedtui import plugins
from fedtui.learning.params import ParamsError
from fedtui.learning.sections import narrowed
from fedtui.rounds import owned

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedtui.learning.params import Manifest
    from fedtui.rounds.plan import Plan
    from fedtui.strategies.base import Strategy


def built(plan: Plan) -> Strategy:
    """The plan's strategy. Raises PluginError as plugins.build."""
    chosen = plan.strategy
    strategy: Strategy = plugins.build("strategies", chosen.name, **chosen.options)
    return strategy


def carried(plan: Plan) -> tuple[str, ...]:
    """The vectors that travel with the model, by name. Raises PluginError."""
    return _kind(plan.strategy.name).carried


def held(plan: Plan) -> tuple[str, ...]:
    """The vectors that every node keeps for itself, by name. Raises PluginError."""
    return _kind(plan.strategy.name).held


def scalars(plan: Plan) -> tuple[str, ...]:
    """The numbers that every node sends for the strategy, by name. Raises PluginError."""
    return _kind(plan.strategy.name).scalars


def personal(plan: Plan) -> bool:
    """Whether each node uses, and measures, another model than the global one. PluginError."""
    return "own figures" in _kind(plan.strategy.name).wants


def trainings(plan: Plan) -> int:
    """How often a node trains in a round: 2 if it has a model of its own. Raises PluginError."""
    return 2 if _kind(plan.strategy.name).trains_own else 1


@functools.cache
def _kind(name: str) -> type[Strategy]:
    kind: type[Strategy] = plugins.builder("strategies", name)
    return kind


def conflicts(plan: Plan) -> list[str]:
    """Every way in which strategy and plan do not fit, each a sentence that says what to do."""
    chosen = plan.strategy
    known = plugins.names("strategies")
    if owned.of_strategy(plan):
        return []  # said there
    if chosen.name not in known:
        return [
            f"[strategy] name: there is no strategy {chosen.name!r}"
            f"{plugins.nearest(chosen.name, known)} (there are: {', '.join(known)})"
        ]
    kind = _kind(chosen.name)
    options = plugins.options("strategies", chosen.name)
    found = [
        f"[strategy.options] {key}: {chosen.name} has no such option"
        f"{plugins.nearest(key, options)} (there are: {', '.join(options) or 'none'})"
        for key in chosen.options
        if key not in options
    ]
    if not found:
        try:
            built(plan)
        except plugins.PluginError as error:
            found.append(f"[strategy.options] {error}")
    stateful = kind.held or kind.carried or kind.scalars
    wants = kind.wants | ({"no late updates"} if stateful else set())
    unmet = [
        sentence for want, (met, sentence) in _WANTS.items() if want in wants and not met(plan)
    ]
    return found + [sentence.format(name=chosen.name) for sentence in unmet]


def misfit(plan: Plan, manifest: Manifest) -> str:
    """Why the strategy cannot be used with what travels under this manifest; empty if it can.

    Raises PluginError.
    """
    strategy = built(plan)
    try:
        return strategy.misfit(narrowed(manifest, strategy.carried))
    except ParamsError as error:
        return f"[strategy] name: {error}"


def staying(plan: Plan, manifest: Manifest) -> tuple[str, ...]:
    """The tensors of which nothing leaves a node, by name; none of a plan that is refused."""
    try:
        strategy = built(plan)
        return strategy.staying(narrowed(manifest, strategy.carried))
    except (ParamsError, plugins.PluginError):
        return ()


def _all_take_part(plan: Plan) -> bool:
    return plan.selection.count is None and plan.selection.fraction == 1


_WANTS: dict[str, tuple[Callable[[Plan], bool], str]] = {
    "sgd": (
        lambda plan: plan.training.optimizer == "sgd",
        '[training] optimizer: {name} reckons with the steps of sgd: write optimizer = "sgd", or '
        "choose another strategy",
    ),
    "all steps": (
        lambda plan: not plan.deadlines.partial,
        "[deadlines] partial: {name} trains twice, and the second training would get the time "
        "that the first one leaves: leave it out",
    ),
    "no momentum": (
        lambda plan: plan.training.momentum == 0,
        "[training] momentum: {name} corrects every gradient, and momentum would go on with "
        "corrections that are over: leave it out",
    ),
    "equal weights": (
        lambda plan: plan.weights.by == "equal",
        '[weights] by: {name} counts every node alike: write by = "equal"',
    ),
    "whole updates": (
        lambda plan: plan.training.update_clip is None,
        "[training] update_clip: {name} reckons with what training really changed, and a cut "
        "update hides it: leave it out",
    ),
    "whole gradients": (
        lambda plan: plan.training.clip_norm is None,
        "[training] clip_norm: {name} makes its corrections of whole gradients: leave it out",
    ),
    "own figures": (
        lambda plan: not plan.evaluation.with_evaluator,
        "[evaluation] with_evaluator: under {name} each node has a model of its own, which an "
        "evaluator does not have: leave it out, and nodes measure on what they hold out",
    ),
    "no late updates": (
        lambda plan: plan.deadlines.late == "drop",
        "[deadlines] late: {name} reckons with what every node did since the same model: leave it "
        "out, or choose another strategy",
    ),
    "late updates": (
        lambda plan: plan.deadlines.late == "buffer",
        '[deadlines] late: {name} is made of updates that are late: write late = "buffer", or '
        "choose another strategy",
    ),
    "population": (
        lambda plan: _all_take_part(plan) or bool(plan.strategy.options.get("population")),
        "[strategy.options] population: {name} must know how many nodes there are, as [selection] "
        "picks some of them only: write population = N",
    ),
}
"""What a strategy may want of a plan, by the word that it uses: whether it is so, and if not what
to change."""
WANTS = frozenset(_WANTS)
