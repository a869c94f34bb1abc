"""Others' load is what this node and its trainer did not cause."""

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import psutil
import pytest

from node import bystanders
from node.bystanders import AVERAGE_S, Bystanders


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A machine with four cores whose counters the test moves."""
    seen = SimpleNamespace(total=100.0, ours=0.0)
    monkeypatch.setattr(bystanders, "_busy_s", lambda: seen.total)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(Bystanders, "_spent_by_us", lambda self: seen.ours)
    return seen


def test_it_takes_two_readings(busy: SimpleNamespace) -> None:
    others = Bystanders(lambda: None)
    assert others.read(0.0) is None
    busy.total += 10.0
    assert others.read(5.0) == pytest.approx(0.5)


def test_after_a_while_without_readings_it_begins_anew(busy: SimpleNamespace) -> None:
    others = Bystanders(lambda: None)
    others.read(0.0)
    assert others.read(5.0) == 0.0
    busy.total += 4 * 3600.0
    assert others.read(3600.0) is None
    assert others.read(3605.0) == 0.0


def test_what_we_used_is_not_theirs(busy: SimpleNamespace) -> None:
    others = Bystanders(lambda: None)
    others.read(0.0)
    busy.total += 20.0
    busy.ours = 20.0
    assert others.read(5.0) == 0.0


def test_a_short_burst_counts_little_and_a_long_one_wins(busy: SimpleNamespace) -> None:
    others = Bystanders(lambda: None)
    others.read(0.0)
    others.read(5.0)
    busy.total += 20.0
    assert others.read(10.0) == pytest.approx(0.08, abs=0.01)
    now = 10.0
    while now < 10.0 + 3 * AVERAGE_S:
        now += 5.0
        busy.total += 20.0
        share = others.read(now)
    assert share > 0.9


def test_the_trainers_time_is_ours() -> None:
    """A real process that burns a core is no bystander if it is the trainer."""
    program = "while True: pass"
    with subprocess.Popen([sys.executable, "-c", program]) as child:
        try:
            others = Bystanders(lambda: child.pid)
            before = others._spent_by_us()
            while psutil.Process(child.pid).cpu_times().user < 0.3:
                time.sleep(0.01)
            assert others._spent_by_us() >= 0.2
        finally:
            child.kill()
    assert before >= 0.0
    others._spent_by_us()  # it is gone: nothing is raised
