"""Workers die, and so does the parent: nobody stays, and nothing is lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from a_setup import a_digest, a_model, an_own_setup, bits, who_took

from fedtui.errors import LocalProtocolError
from fedtui.simulation.engine import EngineError
from fedtui.simulation.ground import survey
from fedtui.simulation.jobs import TrainJob
from fedtui.simulation.process_engine import ProcessEngine
from fedtui.simulation.workshop import Workshop

pytestmark = pytest.mark.timeout(300)

JOBS = [TrainJob(node, 1, 1, a_digest(1)) for node in range(6)]


@pytest.fixture
def make(monkeypatch, tmp_path):
    """An engine with its model put; scratch folders lie under `scratch`, and go."""
    scratch, engines = tmp_path / "scratch", []
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))

    def made(setup, num_workers=2):
        engine = ProcessEngine(setup, survey(setup), num_workers)
        engines.append(engine)
        engine.put_model(a_digest(1), a_model(setup))
        return engine

    yield made
    pids = [worker._process.pid for engine in engines for worker in engine._workers]
    for engine in engines:
        engine.close()
    assert list(scratch.iterdir()) == []
    assert not any(psutil.pid_exists(pid) for pid in pids)


def serial(setup) -> list[bytes]:
    workshop, model_D = Workshop(setup, survey(setup)), a_model(setup)
    return [bits(workshop.do(job, model_D).update_D) for job in JOBS]


def test_jobs_of_workers_that_were_killed_are_done_by_others(make, tmp_path) -> None:
    marker = tmp_path / "one.marker"
    setup = an_own_setup(tmp_path, worst=f"hold:{tmp_path}")
    expected = serial(setup)
    marker.touch()
    engine = make(setup)
    idle = engine._workers[0]._process
    idle.kill()
    tickets = [engine.submit(job) for job in JOBS]
    os.kill(who_took(marker), signal.SIGKILL)
    assert [bits(ticket.outcome().update_D) for ticket in tickets] == expected
    assert idle.exitcode == -signal.SIGKILL


@pytest.mark.slow
def test_a_job_that_kills_every_worker_is_given_up_with_a_sentence(make, tmp_path) -> None:
    engine = make(an_own_setup(tmp_path, worst="death"), 1)
    said = r"died 3 times while training for node 0 in round 1; it ran out of memory or was killed"
    with pytest.raises(EngineError, match=said):
        engine.submit(JOBS[0]).outcome()


@pytest.mark.slow
def test_lack_of_memory_in_a_worker_is_tried_elsewhere_and_then_said(make, tmp_path) -> None:
    engine = make(an_own_setup(tmp_path, worst="memory"), 1)
    with pytest.raises(EngineError, match="ran out of memory"):
        engine.submit(JOBS[0]).outcome()


@pytest.mark.slow
def test_workers_that_cannot_begin_say_why(make, tmp_path) -> None:
    setup = an_own_setup(tmp_path)
    engine = make(setup, 1)
    Path(setup.task_file).write_text("raise ValueError('changed meanwhile')")
    engine._workers[0].kill()
    with pytest.raises(EngineError, match="changed meanwhile"):
        engine.submit(JOBS[0]).outcome()


@pytest.mark.slow
def test_models_stay_as_long_as_jobs_need_them_and_no_longer(make, tmp_path) -> None:
    setup = an_own_setup(tmp_path)
    engine = make(setup, 1)
    tickets = [engine.submit(job) for job in JOBS]
    engine.drop_model(a_digest(1))
    tickets[-1].forget()
    with pytest.raises(LocalProtocolError, match="was given to the engine"):
        engine.submit(JOBS[0])
    assert [bits(t.outcome().update_D) for t in tickets[:-1]] == serial(setup)[:-1]
    with pytest.raises(LocalProtocolError, match="forgotten"):
        tickets[-1].outcome()
    file = engine._scratch / f"{a_digest(1).hex()}.npy"
    engine.put_model(a_digest(2), a_model(setup))
    engine.submit(TrainJob(0, 2, 1, a_digest(2))).outcome()
    assert not file.exists()


def test_a_full_scratch_folder_is_said(make, monkeypatch, tmp_path) -> None:
    setup = an_own_setup(tmp_path)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.save", full)
    with pytest.raises(EngineError, match=r"No space left.*the run resumes"):
        make(setup)


PARENT = """
import sys
from pathlib import Path
from a_setup import *
from fedtui.simulation.ground import survey
from fedtui.simulation.jobs import TrainJob
from fedtui.simulation.process_engine import ProcessEngine

if __name__ == "__main__":
    setup = an_own_setup(Path(sys.argv[1]))
    engine = ProcessEngine(setup, survey(setup), 2)  # closes itself at exit
    engine.put_model(a_digest(1), a_model(setup))
    if sys.argv[2] == "begin":
        print(*(worker._process.pid for worker in engine._workers), flush=True)
    for node in range(2):
        engine.submit(TrainJob(node, 1, 1, a_digest(1))).outcome()
    print(*(worker._process.pid for worker in engine._workers), flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.parametrize("when", ["begin", "work"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nobody_stays_and_nobody_but_the_parent_complains(tmp_path, when, number) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    fakes = Path(__file__).parents[2] / "fakes"
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "parent.py", tmp_path, when],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(scratch), "PYTHONPATH": f"{fakes}"},
        cwd=Path(__file__).parents[3],
        start_new_session=True,
    )
    workers = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
    assert len(workers) == 2
    if number == signal.SIGINT:
        os.killpg(parent.pid, number)  # as a terminal does
    else:
        parent.kill()
    _, said = parent.communicate(timeout=120)
    assert psutil.wait_procs(workers, timeout=120)[1] == []
    if number == signal.SIGINT:
        assert said.count("Traceback") == said.count("KeyboardInterrupt") == 1, said
    deadline = time.monotonic() + 60
    while list(scratch.glob("fedtui-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(scratch.glob("fedtui-*")) == []
