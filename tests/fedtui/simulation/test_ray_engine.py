"""Workers, machines and whole clusters are lost; outcomes are not, or it is said what to do."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from a_setup import a_digest, a_model, an_own_setup, bits, who_took

from fedtui.errors import ExitCode
from fedtui.simulation import ray_engine
from fedtui.simulation.engine import EngineError
from fedtui.simulation.ground import survey
from fedtui.simulation.jobs import TrainJob
from fedtui.simulation.ray_engine import RayEngine
from fedtui.simulation.workshop import Workshop

JOBS = [TrainJob(node, 1, 1, a_digest(1)) for node in range(6)]


def serial(setup) -> list[bytes]:
    workshop, model_D = Workshop(setup, survey(setup)), a_model(setup)
    return [bits(workshop.do(job, model_D).update_D) for job in JOBS]


@pytest.fixture
def make():
    """An engine with its model put, on a cluster or one of its own."""
    engines = []

    def made(setup, **fields):
        engine = RayEngine(setup, survey(setup), **fields)
        engines.append(engine)
        engine.put_model(a_digest(1), a_model(setup))
        return engine

    yield made
    for engine in engines:
        engine.close()


@pytest.fixture
def cluster():
    """A head that does no jobs and two machines with a core each."""
    cluster = importlib.import_module("ray.cluster_utils").Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    cluster.machines = [cluster.add_node(num_cpus=1) for _ in range(2)]
    yield cluster
    cluster.shutdown()


def raylet_of(machine) -> psutil.Process:
    return psutil.Process(machine.all_processes["raylet"][0].process.pid)


@pytest.mark.ray
@pytest.mark.timeout(300)
def test_jobs_of_a_worker_and_of_a_machine_that_died_are_done_elsewhere(
    make, cluster, tmp_path, capfd
) -> None:
    markers = [tmp_path / f"{name}.marker" for name in ("one", "two")]
    setup = an_own_setup(tmp_path, worst=f"hold:{tmp_path}")
    expected = serial(setup)
    for marker in markers:
        marker.touch()
    capfd.readouterr()
    engine = make(setup, address=cluster.address)
    tickets = [engine.submit(job) for job in JOBS]
    workers = [psutil.Process(who_took(marker)) for marker in markers]  # each on a machine
    here = engine.ray.get_runtime_context().get_node_id()
    other = next(machine for machine in cluster.machines if machine.node_id != here)
    (worker,) = [w for w in workers if raylet_of(other) not in w.parents()]
    cluster.remove_node(other, allow_graceful=False)
    worker.kill()
    assert [bits(ticket.outcome().update_D) for ticket in tickets] == expected
    engine.close()
    assert capfd.readouterr().out == "", "Ray's own complaints are not for pipes"


@pytest.mark.ray
@pytest.mark.timeout(300)
def test_what_the_store_lost_is_put_again(make, tmp_path) -> None:
    setup = an_own_setup(tmp_path)
    engine = make(setup)
    lost, start = engine.ray.exceptions.ObjectLostError, engine.start

    def lose() -> None:
        raise lost("00", None, "nowhere")

    engine.start = lambda job, model: engine.ray.remote(lose).remote()
    ticket = engine.submit(JOBS[0])
    engine.start = start
    before = engine._models[a_digest(1)].ref, engine._parcel_ref
    assert bits(ticket.outcome().update_D) == serial(setup)[0]
    after = engine._models[a_digest(1)].ref, engine._parcel_ref
    assert not set(before) & set(after)


@pytest.mark.ray
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("worst", "said"),
    [
        ("death", r"died 4 times at one job.*the run resumes"),
        ("memory", r"node 0 in round 1 was tried 3 times, but memory ran out.*the run resumes"),
    ],
)
def test_a_job_that_nobody_survives_is_given_up_with_a_sentence(
    make, tmp_path, worst: str, said: str
) -> None:
    engine = make(an_own_setup(tmp_path, worst=worst))
    with pytest.raises(EngineError, match=said):
        engine.submit(JOBS[0]).outcome()


@pytest.mark.ray
@pytest.mark.timeout(300)
def test_workers_that_cannot_begin_and_jobs_that_never_fit_are_said(make, tmp_path) -> None:
    setup = an_own_setup(tmp_path, attacks={0: ("sign_flip", {})})
    engine = make(setup)
    ticket = engine.submit(JOBS[1])
    assert ticket.outcome().num_examples > 0
    ticket = engine.submit(JOBS[2])
    ticket.outcome()
    ticket.forget()
    with pytest.raises(EngineError, match=r"asks for 0.5 GPUs, but no machine .* more than 0"):
        make(setup, gpus_per_job=0.5)
    with pytest.raises(EngineError, match="asks for 999 CPUs"):
        make(setup, cpus_per_job=999)
    bad = an_own_setup(tmp_path, attacks={0: ("sign_flip", {"strength": -1.0})})
    with pytest.raises(EngineError, match=r"cannot begin: .*sign_flip"):
        make(bad).submit(JOBS[0]).outcome()


LOST = """
import sys
from pathlib import Path
import psutil
from a_setup import *
from fedtui.simulation.engine import EngineError
from fedtui.simulation.ground import survey
from fedtui.simulation.jobs import TrainJob
from fedtui.simulation.ray_engine import RayEngine

marker = Path(sys.argv[1]) / "one.marker"
marker.touch()
setup = an_own_setup(Path(sys.argv[1]), worst=f"hold:{sys.argv[1]}")
engine = RayEngine(setup, survey(setup))
engine.put_model(a_digest(1), a_model(setup))
ticket = engine.submit(TrainJob(0, 1, 1, a_digest(1)))
who_took(marker)
(lost,) = [p for p in psutil.Process().children(recursive=True) if p.name() == sys.argv[2]]
lost.kill()
try:
    ticket.outcome()
except EngineError as error:
    engine.close()
    sys.exit(str(error))
"""


@pytest.mark.ray
@pytest.mark.timeout(300)
def test_a_cluster_that_is_lost_ends_the_run_with_a_sentence(tmp_path) -> None:
    """In a process of its own: Ray ends the one that it runs in when it is late."""
    fakes = Path(__file__).parents[2] / "fakes"
    done = subprocess.run(
        [sys.executable, "-c", LOST, tmp_path, "gcs_server"],
        env=os.environ | {"PYTHONPATH": f"{fakes}"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done
    assert done.stderr.startswith("the Ray cluster is lost (")
    assert done.stderr.endswith("start again when it is back: the run resumes\n")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.ray
@pytest.mark.timeout(300)
def test_an_address_where_no_cluster_is_is_said(make, tmp_path) -> None:
    with pytest.raises(EngineError, match=r"cannot reach a Ray cluster at 127\.0\.0\.1:1: "):
        make(an_own_setup(tmp_path), address="127.0.0.1:1")


def test_without_ray_the_extra_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    setup = an_own_setup(tmp_path)
    with pytest.raises(EngineError, match=r"pip install 'fedtui\[simulation\]'") as caught:
        RayEngine(setup, survey(setup))
    assert caught.value.exit_code == ExitCode.UNAVAILABLE


def test_an_own_task_travels_to_machines_that_lack_it(tmp_path) -> None:
    setup = an_own_setup(tmp_path)
    sent, _, source = ray_engine._packed(setup, survey(setup))
    assert ray_engine._unpacked(sent, source) is sent
    Path(setup.task_file).write_text("build = 1")
    there = ray_engine._unpacked(sent, source)
    assert Path(there.task_file).read_bytes() == source
    assert there.task().labels == ("low", "high")


def test_outcomes_hold_nothing_of_the_store() -> None:
    shared = np.arange(5, dtype=np.float32)
    shared.flags.writeable = False
    taken = ray_engine._taken(ray_engine.Trained(shared, 3, {}))
    assert not np.shares_memory(taken.update_D, shared)
    assert taken.update_D.flags.writeable
