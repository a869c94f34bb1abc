"""What is said of the machine is what the system says; a trainer that goes away is no error."""

import os
import subprocess
import sys
from types import SimpleNamespace

import msgspec
import psutil
import pytest

from fedtui.status import Machine
from node import workstation
from node.workstation import Workstation, differs


def test_a_running_trainer_is_read_and_a_gone_one_is_not() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "import os, sys; os.nice(7); print(flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    pids = [child.pid]
    station = Workstation(lambda: pids[0])
    child.stdout.readline()
    seen = station.read()
    assert (seen.trainer_pid, seen.trainer_nice, seen.trainer_threads) == (child.pid, 7, 1)
    assert seen.trainer_memory_mb == pytest.approx(
        psutil.Process(child.pid).memory_info().rss / 1e6, abs=1
    )
    assert seen.num_cores == os.cpu_count()
    child.communicate()
    assert station.read().trainer_pid == 0, "it ended and nobody has told us yet"
    pids[0] = None
    station.num_restarts = 2
    seen = station.read()
    assert (seen.trainer_pid, seen.trainer_memory_mb, seen.trainer_restarts) == (0, 0.0, 2)


def test_work_of_the_daemon_itself_counts() -> None:
    station = Workstation(lambda: None)
    before = psutil.Process().cpu_times().user
    while psutil.Process().cpu_times().user - before < 0.1:
        sum(range(10_000))
    assert station.read().cpu_percent > 0


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, ""),
        (SimpleNamespace(power_plugged=None), ""),
        (SimpleNamespace(power_plugged=True), "AC"),
        (SimpleNamespace(power_plugged=False), "battery"),
    ],
)
def test_power_is_said_only_where_it_is_known(
    found: object, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workstation.psutil, "sensors_battery", lambda: found)
    assert workstation.power() == said


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, False),
        ({"cpu_percent": 51.0}, False),
        ({"cpu_percent": 53.0}, True),
        ({"cpu_percent": 0.0}, True),
        ({"cpu_percent": 50.5}, False),
        ({"trainer_memory_mb": 301.0}, False),
        ({"trainer_memory_mb": 310.0}, True),
        ({"trainer_pid": 5}, True),
        ({"trainer_restarts": 1}, True),
        ({"power": "battery"}, True),
    ],
)
def test_only_what_a_screen_would_show_otherwise_is_told(
    change: dict[str, object], told: bool
) -> None:
    before = Machine(cpu_percent=50.0, trainer_memory_mb=300.0, trainer_pid=4, power="AC")
    assert differs(before, msgspec.structs.replace(before, **change)) is told


def test_an_idle_machine_comes_to_rest_at_nothing() -> None:
    idle = Machine(cpu_percent=0.0)
    assert not differs(idle, Machine(cpu_percent=0.5))
    assert not differs(idle, Machine(cpu_percent=1.5))
    assert differs(Machine(cpu_percent=1.5), idle)
