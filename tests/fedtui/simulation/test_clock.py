"""The virtual clock: in order of time, and of scheduling where times are equal."""

from fedtui.simulation.clock import Clock


def test_order() -> None:
    clock, seen = Clock(), []
    clock.after(2.0, lambda: seen.append("late"))
    clock.after(1.0, lambda: seen.append("first"))
    clock.at(1.0, lambda: seen.append("second"))
    assert clock.next_at == 1.0
    while clock.step():
        pass
    assert seen == ["first", "second", "late"]
    assert clock.now == 2.0
    assert clock.next_at is None
    assert clock.num_run == 3


def test_the_past_is_now() -> None:
    clock, seen = Clock(now=10.0), []
    clock.at(3.0, lambda: seen.append(clock.now))
    clock.step()
    assert seen == [10.0]


def test_actions_may_schedule_actions() -> None:
    clock, seen = Clock(), []
    clock.after(1.0, lambda: clock.after(1.0, lambda: seen.append(clock.now)))
    clock.step()
    clock.step()
    assert seen == [2.0]
