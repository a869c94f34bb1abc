"""Alerts: which modal opens by itself, once: another key, or a plan that changed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fedtui.status import Alarm, NodeStatus

KEY_CHANGED = "key changed"  # Alarm.kind


class Alerts:
    """Remembers what was shown already."""

    def __init__(self) -> None:
        self._alarms: set[int] = set()
        self._plans: set[tuple[str, str]] = set()

    def another_key(self, status: NodeStatus) -> Alarm | None:
        """The alarm that another key answered, if it was not shown yet."""
        for alarm in status.alarms:
            waits = alarm.kind == KEY_CHANGED and not alarm.acknowledged
            if waits and alarm.id not in self._alarms:
                self._alarms.add(alarm.id)
                return alarm
        return None

    def another_plan(self, status: NodeStatus) -> bool:
        """Whether a plan that differs from the one agreed to waits, and was not shown yet."""
        plan = status.plan
        if plan is None or status.consented or not plan.differs:
            return False
        key = (plan.plan_hash, plan.form_hash)
        is_new = key not in self._plans
        self._plans.add(key)
        return is_new
