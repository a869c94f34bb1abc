"""Diagnostics for a bug report: numbers and states of a node, no names, addresses or ids. Pure."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

import msgspec

from fedtui import __version__

if TYPE_CHECKING:
    from fedtui.status import NodeStatus

_KEPT = (
    *("role", "version", "state", "consented", "rounds_counted", "rounds_late"),
    *("rounds_refused", "num_tries", "leaving", "final"),
)


def of(status: NodeStatus) -> dict[str, Any]:
    """What may be shown to strangers; nothing that a person or a coordinator typed is in it."""
    found: dict[str, Any] = {name: getattr(status, name) for name in _KEPT}
    plan = status.plan
    return found | {
        "screen": __version__,
        "system": platform.system(),
        "python": platform.python_version(),
        "offline": status.offline_since > 0,
        "round": msgspec.to_builtins(status.round) | {"sat_out": bool(status.round.sat_out)},
        "training": msgspec.to_builtins(status.training),
        "traffic": msgspec.to_builtins(status.traffic),
        "machine": msgspec.to_builtins(status.machine),
        "limits": msgspec.to_builtins(status.limits),
        "masked": status.privacy.masked,
        "cohort": status.privacy.cohort,
        "model_bytes": plan.num_model_bytes if plan else None,
        "rounds": [[one.number, one.attempt, one.outcome] for one in status.rounds],
        "alarms": [one.kind for one in status.alarms],
        "problem_code": status.problem.code if status.problem else None,
        "log": [[line.at, line.level, line.source] for line in status.log],
    }
