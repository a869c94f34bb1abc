"""R4, R5, R14, L5: the coordinator's storage is killed, or its disk fails, at every call it makes.

strace counts a thread's storage calls and kills the process on entry to the k-th, or makes it and
all later ones fail. A child is forked from a process that has imported everything, stops itself,
is traced, and goes on. After each, crash_verify looks for what was acknowledged and is not so.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from coordinator.database import DATABASE
from coordinator.store import Store

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE.parent / "coordinator")]

import crash_child  # noqa: E402  found only after the line above
import crash_verify  # noqa: E402  as above
import next_step  # noqa: E402  as above

STRACE = shutil.which("strace")
CALLS = ("pwrite64", "write", "fdatasync", "fsync", "rename", "unlink", "ftruncate")
MOST_POINTS = 500
STOPPED = crash_child.STOPPED
pytestmark = [pytest.mark.loopback, pytest.mark.slow, pytest.mark.timeout(600)]


def tracing() -> str | None:
    """Why strace cannot be used here, if so."""
    if STRACE is None:
        return "strace is not installed (apt-get install strace)"
    tried = subprocess.run([STRACE, "-o", "/dev/null", "true"], capture_output=True, check=False)
    return None if tried.returncode == 0 else "tracing processes is not allowed here"


needs_strace = pytest.mark.skipif(tracing() is not None, reason=str(tracing()))


class Nursery:
    """Forks children that work on a state directory; see crash_child.serve."""

    def __init__(self) -> None:
        command = [sys.executable, "-B", str(HERE / "crash_child.py"), "--serve"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, *words: object) -> int:
        """A stopped child that will do what crash_child.serve says; returns its pid."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        return self._answer("pid")

    def status(self) -> int:
        """How the child ended; negative for a signal."""
        return self._answer("status")

    def _answer(self, word: str) -> int:
        assert self._process.stdout is not None
        found, number = self._process.stdout.readline().split()
        assert found == word
        return int(number)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


def traced(nursery: Nursery, pid: int, *, calls: str, inject: str, log: Path) -> int:
    """Let a stopped child go on under strace with one injection; returns how it ended."""
    assert STRACE is not None
    command = [STRACE, "-f", "-y", "-qq", "-p", str(pid), "-o", str(log)]
    tracer = subprocess.Popen([*command, "-e", f"trace={calls}", "-e", f"inject={inject}"])
    while not re.search(r"TracerPid:\s*[1-9]", Path(f"/proc/{pid}/status").read_text()):
        assert tracer.poll() is None
    os.kill(pid, signal.SIGCONT)
    status = nursery.status()
    tracer.wait(timeout=30)
    return status


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A state directory with an empty database; making one is R14's subject."""
    state = tmp_path / "fresh"
    Store.open(state, identity=crash_child.COORDINATOR).close()
    return state


def points(nursery: Nursery, fresh: Path, call: str, effect: str) -> Iterator[tuple[int, Path]]:
    """Run to the k-th `call`, for every k there is; yields k and the log of each run."""
    state, log = fresh.parent / "state", fresh.parent / "log"
    for k in range(1, MOST_POINTS):
        shutil.rmtree(state, ignore_errors=True)
        shutil.copytree(fresh, state)
        inject = f"{call}:{effect}".format(k=k)
        calls = ",".join({call, "write"})
        # Abreast, an acknowledgement may lawfully follow the failure of a later transaction.
        pid = nursery.start("live", state, 2, "error" not in effect)
        status = traced(nursery, pid, calls=calls, inject=inject, log=log)
        if status == 0:
            return
        expected = -signal.SIGKILL if "signal" in effect else STOPPED
        assert status == expected, f"at {call} {k}"
        assert crash_verify.lost(state) == [], f"at {call} {k}"
        yield k, log
        if call != "pwrite64" or k % 4 == 0:  # many of them lie between two syncs: all the same
            assert crash_verify.ends_well(state) == [], f"after {call} {k}"
    pytest.fail(f"{call} has no end")


@needs_strace
def test_R4_nothing_is_lost_by_a_kill_at_any_storage_call(nursery: Nursery, fresh: Path) -> None:
    effect = "signal=KILL:when={k}"
    counts = {call: len(list(points(nursery, fresh, call, effect))) for call in CALLS}
    print(counts)  # noqa: T201  the evidence, shown with -s and on failure
    assert sum(counts.values()) >= 85
    assert counts.keys() == set(CALLS)
    assert all(counts.values()), "a call that never happens was renamed, and is not tested"


def acked_after_failure(log: Path) -> list[str]:
    """Acknowledgements that were written after the disk had begun to fail."""
    lines = log.read_text().splitlines()
    first = next(n for n, line in enumerate(lines) if "(INJECTED)" in line)
    return [line for line in lines[first:] if "/ack>" in line and "(INJECTED)" not in line]


@needs_strace
@pytest.mark.parametrize(
    ("calls", "error", "at_least"),
    [(("pwrite64", "write"), "ENOSPC", 55), (("fdatasync", "fsync"), "EIO", 22)],
)
def test_L5_a_failing_disk_acknowledges_nothing(
    nursery: Nursery, fresh: Path, calls: tuple[str, ...], error: str, at_least: int
) -> None:
    effect = f"error={error}:when={{k}}+"
    num_points = 0
    for call in calls:
        for k, log in points(nursery, fresh, call, effect):
            assert acked_after_failure(log) == [], f"at {call} {k}"
            num_points += 1
    assert num_points >= at_least


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_L5_work_goes_on_when_there_is_room_again(nursery: Nursery, tmp_path: Path) -> None:
    state = tmp_path / "small"
    state.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(state)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        assert run(nursery, state, 0) == 0
        ballast = state / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        assert run(nursery, state, 2) == STOPPED
        ballast.unlink()
        assert crash_verify.lost(state) == []
        assert crash_verify.ends_well(state) == []
    finally:
        subprocess.run(["umount", str(state)], check=True)


def run(nursery: Nursery, state: Path, num_rounds: float) -> int:
    os.kill(nursery.start("live", state, num_rounds, True), signal.SIGCONT)
    return nursery.status()


def num_acks(state: Path) -> int:
    ack = state / "ack"
    return len(ack.read_bytes().splitlines()) if ack.exists() else 0


def test_R5_nothing_is_lost_by_150_random_kills(nursery: Nursery, fresh: Path) -> None:
    """Each strikes a random number of acknowledgements, and a moment, after the start."""
    rng = np.random.default_rng(int(os.environ.get("FEDTUI_SEED", "5")))
    checked = 0
    for kill in range(150):
        pid = nursery.start("live", fresh, "inf", True)
        os.kill(pid, signal.SIGCONT)
        enough = checked + rng.integers(0, 20)
        while num_acks(fresh) < enough:
            time.sleep(0.001)
        time.sleep(rng.uniform(0.0, 0.02))
        os.kill(pid, signal.SIGKILL)
        assert nursery.status() == -signal.SIGKILL
        assert crash_verify.lost(fresh, since=checked) == [], f"after kill {kill}"
        checked = num_acks(fresh)
    assert checked > 150
    assert crash_verify.lost(fresh) == []


@needs_strace
@pytest.mark.parametrize("fixture", next_step.FIXTURES, ids=lambda path: path.stem)
def test_R14_a_migration_killed_at_any_call_is_all_or_nothing(
    nursery: Nursery, tmp_path: Path, fixture: Path
) -> None:
    old, state, log = tmp_path / "old", tmp_path / "state", tmp_path / "log"
    old.mkdir()
    next_step.load(fixture, old)
    next_step.next_step(old)
    seen = []
    for call in (c for c in CALLS if c != "write"):
        for k in range(1, MOST_POINTS):
            shutil.rmtree(state, ignore_errors=True)
            shutil.copytree(old, state)
            inject = f"{call}:signal=KILL:when={k}"
            pid = nursery.start("migrate", state)
            if traced(nursery, pid, calls=call, inject=inject, log=log) == 0:
                break
            seen.append(next_step.shape(state / DATABASE))
            assert crash_child.migrate(state) == 0
            assert next_step.shape(state / DATABASE) == next_step.NEW, f"after {call} {k}"
    assert set(seen) == {(False, False, False, fixture.stem, 4), next_step.NEW}
    assert len(seen) >= 20


@needs_strace
def test_R14_a_first_start_that_is_killed_is_followed_by_a_good_one(
    nursery: Nursery, tmp_path: Path
) -> None:
    state, log = tmp_path / "state", tmp_path / "log"
    for call in ("pwrite64", "fdatasync", "fsync", "ftruncate"):
        for k in range(1, 6 if call == "pwrite64" else 4):
            shutil.rmtree(state, ignore_errors=True)
            state.mkdir()
            pid = nursery.start("live", state, 2, True)
            inject = f"{call}:signal=KILL:when={k}"
            assert traced(nursery, pid, calls=call, inject=inject, log=log) == -signal.SIGKILL
            assert crash_verify.lost(state) == []
            assert crash_verify.ends_well(state) == []
