"""The node that an aggregator trusts, where it has one: who it is, and no round is without it.

A rule that is `guided` (aggregators/fltrust.py) measures all updates against that of its `root`,
which the plan names by fingerprint: so every node consents to it, and no node can say of itself
that it is the one. It is in every cohort, rounds wait for it, and an attempt that loses it fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedtui import plugins
from fedtui.crypto.keys import parse_fingerprint
from fedtui.errors import FingerprintError
from fedtui.rounds import robust

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from fedtui.aggregators.base import Aggregator
    from fedtui.rounds.plan import Plan


def guide_of(plan: Plan) -> bytes | None:
    """The first 20 bytes of the id of the plan's trusted node; None of a plan that needs none.

    The plan must be without conflicts.
    """
    rule = robust.built(plan)
    return parse_fingerprint(_root(rule)) if rule.guided else None


def among(guide: bytes | None, nodes: Iterable[bytes]) -> bytes | None:
    """The trusted node, if it is one of these."""
    if guide is None:
        return None
    return next((node for node in nodes if node.startswith(guide)), None)


def place(plan: Plan, nodes: Iterable[bytes]) -> int | None:
    """Which of these nodes is the trusted one; None if it is none of them, or there is none."""
    guide = guide_of(plan)
    if guide is None:
        return None
    return next((at for at, node in enumerate(nodes) if node.startswith(guide)), None)


def with_guide(
    guide: bytes | None, cohort: frozenset[bytes], present: Collection[bytes]
) -> frozenset[bytes]:
    """A cohort as large, with the trusted node in it: in place of the one with the highest id."""
    node = among(guide, present)
    if node is None or node in cohort:
        return cohort
    return cohort - {max(cohort)} | {node}


def conflicts(plan: Plan) -> list[str]:
    """What a guided rule needs of a plan, as sentences."""
    try:
        rule, name = robust.built(plan), plan.aggregator.name
    except plugins.PluginError:  # said elsewhere
        return []
    if not rule.guided:
        return []
    found = []
    try:
        parse_fingerprint(_root(rule))
    except FingerprintError:
        found.append(
            f"[aggregator.options] root: {name} measures updates against those of a node that is "
            "trusted: write its fingerprint, as `fedtui key show` prints it"
        )
    if plan.aggregator.mix is not None:
        found.append(
            f"[aggregator] mix: {name} trusts one update, not a mix of some: leave it out"
        )
    return found


def _root(rule: Aggregator) -> str:
    return str(getattr(rule, "root", ""))
