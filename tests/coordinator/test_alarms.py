from coordinator.alarms import MAX_CELLS, Alarms
from fedtui.status.coordinator import MAX_ALARMS, Alarm


def test_the_newest_are_kept_and_each_is_told_once() -> None:
    told: list[Alarm] = []
    alarms = Alarms(lambda: 5.0, told.append)
    for number in range(MAX_ALARMS + 3):
        alarms.ring("dropped out", f"n{number}")
    assert [alarm.number for alarm in alarms.newest] == [*range(4, MAX_ALARMS + 4)]
    assert len(told) == MAX_ALARMS + 3
    assert told[0] == Alarm(number=1, at=5.0, kind="dropped out", text="n0")


def test_what_a_node_said_is_one_short_harmless_line() -> None:
    alarms = Alarms(lambda: 0.0, lambda _: None)
    alarms.ring("dropped out", "\x1b[31mred\n\u202e" + "x" * 10_000)
    (alarm,) = alarms.newest
    assert alarm.text.startswith("[31mred")
    assert len(alarm.text) == MAX_CELLS
