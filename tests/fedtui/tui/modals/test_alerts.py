"""What opens by itself opens once."""

import a_status
from msgspec.structs import replace

from fedtui.status import Alarm
from fedtui.tui.modals.alerts import Alerts

KEY = Alarm(id=3, at=1.0, kind="key changed", text="another key")
DIFFERS = replace(a_status.PLAN, differs=("the model",))
ASKS = replace(a_status.normal(), consented=False, plan=DIFFERS)


def test_another_key_is_shown_once_and_other_alarms_are_not() -> None:
    alerts = Alerts()
    assert alerts.another_key(a_status.alarm()) is None
    status = replace(a_status.normal(), alarms=(*a_status.alarm().alarms, KEY))
    assert alerts.another_key(status) == KEY
    assert alerts.another_key(status) is None
    again = replace(status, alarms=(KEY, replace(KEY, id=4)))
    assert alerts.another_key(again) == replace(KEY, id=4)


def test_an_acknowledged_one_is_not_shown() -> None:
    status = replace(a_status.normal(), alarms=(replace(KEY, acknowledged=True),))
    assert Alerts().another_key(status) is None


def test_a_plan_that_differs_is_shown_once_each() -> None:
    alerts = Alerts()
    assert alerts.another_plan(ASKS)
    assert not alerts.another_plan(ASKS)
    assert alerts.another_plan(replace(ASKS, plan=replace(DIFFERS, form_hash="00")))


def test_a_first_plan_or_one_agreed_to_is_not() -> None:
    assert not Alerts().another_plan(a_status.empty())
    assert not Alerts().another_plan(replace(ASKS, plan=a_status.PLAN))
    assert not Alerts().another_plan(replace(ASKS, consented=True))
