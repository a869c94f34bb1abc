"""The account that keeps the trainer within its share, and the rests that pay for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.throttle import CREDIT_S, SLICE_S, Clocks, DutyCycle, Throttle


class Machine:
    """A process whose batches burn CPU time; sleeping lets time pass and burns nothing."""

    def __init__(self) -> None:
        self.cpu_s = self.now_s = 0.0
        self.wanted = True
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.naps.append(seconds)

    def throttle(self) -> Throttle:
        clocks = Clocks(cpu=lambda: self.cpu_s, now=lambda: self.now_s, sleep=self.sleep)
        return Throttle(clocks, wanted=lambda: self.wanted)


@given(
    batches=st.lists(st.tuples(st.floats(0.001, 3), st.floats(0.5, 4)), min_size=1, max_size=40),
    cores=st.floats(0.01, 8),
)
def test_what_is_used_never_exceeds_the_share_but_for_the_last_batch(
    batches: list[tuple[float, float]], cores: float
) -> None:
    """Each batch takes so many seconds on so many cores; rests are taken in full."""
    cpu_s = now_s = 0.0
    cycle = DutyCycle(cpu_s=0.0, now_s=0.0)
    for seconds, busy in batches:
        cpu_s += seconds * busy
        now_s += seconds
        now_s += cycle.rest_s(cpu_s=cpu_s, now_s=now_s, cores=cores)
        assert cpu_s <= cores * (now_s + CREDIT_S) + 1e-6


def test_a_trainer_within_its_share_never_rests() -> None:
    cycle = DutyCycle(cpu_s=5.0, now_s=9.0)
    assert cycle.rest_s(cpu_s=5.4, now_s=10.0, cores=0.5) == 0.0


def test_time_that_passed_unused_is_no_credit_for_a_burst() -> None:
    cycle = DutyCycle(cpu_s=0.0, now_s=0.0)
    assert cycle.rest_s(cpu_s=0.0, now_s=3600.0, cores=0.5) == 0.0
    assert cycle.rest_s(cpu_s=1.0, now_s=3601.0, cores=0.5) == pytest.approx(1.0 - CREDIT_S)


def test_a_rest_is_taken_in_slices_and_ends_when_the_job_does() -> None:
    machine = Machine()
    throttle = machine.throttle()
    machine.cpu_s = machine.now_s = 1.0
    throttle.rest(lambda: 0.25)
    assert machine.now_s == pytest.approx(4.0, abs=0.01)
    assert max(machine.naps) <= SLICE_S
    machine.naps.clear()
    machine.cpu_s += 10.0
    machine.wanted = False
    throttle.rest(lambda: 0.25)
    assert machine.naps == []


def test_another_share_counts_in_the_middle_of_a_rest() -> None:
    machine = Machine()
    throttle = machine.throttle()
    machine.cpu_s = machine.now_s = 10.0
    throttle.rest(lambda: 0.01 if machine.now_s < 11.0 else None)
    assert machine.now_s == pytest.approx(11.0, abs=2 * SLICE_S)
