"""What every engine owes: equal jobs, equal bits, whoever does them, in whatever order."""

import dataclasses

import numpy as np
import pytest
from a_setup import a_digest, a_model, an_own_setup, bits

from fedtui.errors import LocalProtocolError
from fedtui.simulation.engine import Engine
from fedtui.simulation.ground import EVALUATOR, Ground, Setup, survey
from fedtui.simulation.jobs import Failed, Measured, MeasureJob, Trained, TrainJob
from fedtui.simulation.process_engine import ProcessEngine
from fedtui.simulation.ray_engine import RayEngine
from fedtui.simulation.serial_engine import SerialEngine
from fedtui.simulation.workshop import Workshop

pytestmark = pytest.mark.timeout(300)

FIRST, SECOND, BAD = (a_digest(number) for number in (1, 2, 3))


def serial(setup: Setup, ground: Ground) -> Engine:
    return SerialEngine(Workshop(setup, ground))


def processes(setup: Setup, ground: Ground) -> Engine:
    return ProcessEngine(setup, ground, 2)


def ray(setup: Setup, ground: Ground) -> Engine:
    return RayEngine(setup, ground)


ENGINES = [
    serial,
    pytest.param(processes, marks=pytest.mark.slow),
    pytest.param(ray, marks=pytest.mark.ray),
]


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    """An own task with dropout and buffers; node 2 attacks."""
    folder = tmp_path_factory.mktemp("own")
    return an_own_setup(folder, attacks={2: ("sign_flip", {"strength": 2.0})})


@pytest.fixture(scope="module", params=ENGINES, ids=lambda make: make.__name__)
def engine(request: pytest.FixtureRequest, setup: Setup) -> Engine:
    engine = request.param(setup, survey(setup))
    engine.put_model(FIRST, a_model(setup, 1))
    engine.put_model(SECOND, a_model(setup, 2))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def workshop(setup: Setup) -> Workshop:
    return Workshop(setup, survey(setup))


def jobs() -> list[TrainJob | MeasureJob]:
    trains = [TrainJob(node, 4, 1, digest) for node in range(6) for digest in (FIRST, SECOND)]
    measures = [MeasureJob(node, 4, SECOND) for node in (EVALUATOR, 0, 3)]
    return [*trains, *measures, dataclasses.replace(trains[0], round=5)]


def test_outcomes_are_those_of_a_workshop_bit_for_bit(
    setup: Setup, engine: Engine, workshop: Workshop
) -> None:
    models = {FIRST: a_model(setup, 1), SECOND: a_model(setup, 2)}
    tickets = [(job, engine.submit(job)) for job in jobs()]
    seen = set()
    for job, ticket in reversed(tickets):
        outcome, expected = ticket.outcome(), workshop.do(job, models[job.model])
        if isinstance(expected, Trained):
            assert isinstance(outcome, Trained)
            assert bits(outcome.update_D) == bits(expected.update_D)
            assert (outcome.num_examples, outcome.sums) == (expected.num_examples, expected.sums)
            assert outcome.update_D.any()
            seen.add(bits(outcome.update_D))
        else:
            assert isinstance(outcome, Measured)
            assert outcome == expected
            assert outcome.sums["examples"] > 0
    assert len(seen) == 13, "each job has a result of its own"


def test_a_second_attempt_gives_what_the_first_gave(engine: Engine) -> None:
    job = TrainJob(1, 4, 1, FIRST)
    again = dataclasses.replace(job, attempt=2)
    one, two = (engine.submit(j).outcome() for j in (job, again))
    assert bits(one.update_D) == bits(two.update_D)


def test_what_is_forgotten_hinders_nobody(engine: Engine) -> None:
    tickets = [engine.submit(job) for job in jobs()]
    for ticket in tickets[::2]:
        ticket.forget()
    assert all(isinstance(t.outcome(), Trained | Measured) for t in tickets[1::2])
    assert isinstance(engine.submit(jobs()[0]).outcome(), Trained)


def test_a_job_that_fails_says_so_and_others_go_on(setup: Setup, engine: Engine) -> None:
    engine.put_model(BAD, np.full_like(a_model(setup), np.nan))
    bad, good = engine.submit(TrainJob(0, 1, 1, BAD)), engine.submit(TrainJob(0, 1, 1, FIRST))
    engine.drop_model(BAD)
    outcome = bad.outcome()
    assert isinstance(outcome, Failed)
    assert "the loss became nan in epoch 1, batch 1" in outcome.reason
    assert "TrainError" in outcome.traceback
    assert isinstance(good.outcome(), Trained)
    nobody = engine.submit(TrainJob(99, 1, 1, FIRST)).outcome()
    assert isinstance(nobody, Failed)
    assert "IndexError" in nobody.reason


def test_a_model_that_was_never_put_or_is_dropped_is_refused(setup: Setup, engine: Engine) -> None:
    unknown = TrainJob(0, 1, 1, a_digest(9))
    with pytest.raises(LocalProtocolError, match=r"no model 0909.* was given"):
        engine.submit(unknown)
    engine.put_model(unknown.model, a_model(setup))
    assert isinstance(engine.submit(unknown).outcome(), Trained)
    engine.drop_model(unknown.model)
    engine.drop_model(unknown.model)
    with pytest.raises(LocalProtocolError):
        engine.submit(unknown)
