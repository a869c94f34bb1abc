"""Plug-ins that are files of the coordinator's operator: pinned by the plan.

A strategy has a half on every node, so its file must be there, too, and be the very same.
Selections and aggregators work at the coordinator only: nodes read their name and hash, and need
no file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedtui import plugins

if TYPE_CHECKING:
    from fedtui.rounds.plan import Plan


def conflicts(plan: Plan) -> list[str]:
    """Every own file that is not pinned, not the pinned one, or not here, as sentences."""
    return of_strategy(plan) + of_selection(plan) + of_aggregator(plan)


def of_strategy(plan: Plan) -> list[str]:
    """Why the strategy is not the file that the plan means; empty if it is, or if it is ours."""
    return _conflicts("strategies", "strategy", plan.strategy.name, plan.strategy.sha256)


def of_selection(plan: Plan) -> list[str]:
    """The same of the selection, which may be missing."""
    return _conflicts("selection", "selection", plan.selection.name, plan.selection.sha256)


def of_aggregator(plan: Plan) -> list[str]:
    """The same of the aggregator."""
    return _conflicts("aggregators", "aggregator", plan.aggregator.name, plan.aggregator.sha256)


def is_elsewhere(plan: Plan) -> bool:
    """Whether the selection is a file that only the coordinator has."""
    return _elsewhere("selection", plan.selection.name, plan.selection.sha256)


def aggregator_is_elsewhere(plan: Plan) -> bool:
    """Whether the aggregator is a file that only the coordinator has."""
    return _elsewhere("aggregators", plan.aggregator.name, plan.aggregator.sha256)


def _elsewhere(kind: str, name: str, sha256: str) -> bool:
    return bool(sha256) and name not in plugins.names(kind)


def _conflicts(kind: str, section: str, name: str, sha256: str) -> list[str]:
    try:
        here = plugins.own_hash(kind, name)
    except plugins.PluginError as error:
        return [f"[{section}] name: {error}"]
    if here == sha256:
        return []
    if not sha256:
        return [
            f"[{section}] name: {name} is a file of your own, and every node must know which: "
            f'write sha256 = "{here}"'
        ]
    if here:
        return [
            f"[{section}] sha256: the file {name}.py here has {here}, the plan wants {sha256}: "
            "get the right one from the coordinator's operator"
        ]
    if name in plugins.names(kind):
        return [f"[{section}] sha256: {name} comes with fedtui: leave sha256 away"]
    if kind != "strategies":
        return []
    return [
        f"[{section}] name: {name} is a file of the coordinator's operator (SHA-256 {sha256}) and "
        f"not here: get it from them, read it, and type: fedtui {section} add {name}.py"
    ]
