"""A simulated node's outcome is a real node's, bit for bit; what goes wrong is an outcome, too."""

import numpy as np
import pytest
from a_setup import a_digest, a_model, a_setup, an_own_setup, bits

from fedtui.learning import trainer
from fedtui.learning.data import DataSource
from fedtui.learning.params import Params
from fedtui.learning.partition import holdout
from fedtui.learning.task import load
from fedtui.simulation.ground import EVALUATOR, survey
from fedtui.simulation.jobs import Failed, Measured, MeasureJob, Trained, TrainJob
from fedtui.simulation.workshop import Workshop


def train(node: int, round: int = 1) -> TrainJob:  # noqa: A002 - the field's word
    return TrainJob(node, round, 1, a_digest(1))


def measure(node: int, round: int = 1) -> MeasureJob:  # noqa: A002 - the field's word
    return MeasureJob(node, round, a_digest(1))


def by_hand(setup, node: int, model_D) -> tuple:
    """What a real node's trainer does: node/trainer_child.py, in four lines."""
    plan, task = setup.plan, setup.task()
    num, split = setup.population.nodes, setup.population.split
    own = load(task, DataSource(split=split, shard=node, num_shards=num, seed=setup.data_seed))
    training, held = holdout(len(own), plan.evaluation.held_out, seed=plan.seed)
    params = Params(trainer.Workbench(task).manifest, model_D)
    result = trainer.train_locally(
        task, params, own.take(training), plan.training, seed=(plan.seed, 3, node)
    )
    return result, trainer.evaluate(task, params, own.take(held))


def test_outcomes_are_those_of_a_real_node_bit_for_bit(tmp_path) -> None:
    for setup in (a_setup(), an_own_setup(tmp_path)):
        model_D = a_model(setup)
        workshop = Workshop(setup, survey(setup))
        for node in range(setup.population.nodes):
            trained, measured = (workshop.do(j(node, 3), model_D) for j in (train, measure))
            expected, sums = by_hand(setup, node, model_D)
            assert isinstance(trained, Trained)
            assert isinstance(measured, Measured)
            assert bits(trained.update_D) == bits(expected.update_D)
            assert trained.num_examples == expected.num_examples
            assert trained.sums == expected.sums
            assert measured.sums == sums
            assert trained.sums["examples"] == expected.num_examples
            assert measured.sums["examples"] > 0


def test_the_evaluator_measures_on_the_test_examples() -> None:
    setup = a_setup(evaluator=True)
    ground, model_D = survey(setup), a_model(setup)
    outcome = Workshop(setup, ground).do(measure(EVALUATOR), model_D)
    assert isinstance(outcome, Measured)
    task = setup.task()
    test = load(task, DataSource(part="test"))
    params = Params(trainer.Workbench(task).manifest, model_D)
    assert outcome.sums == trainer.evaluate(task, params, test)
    assert outcome.sums["examples"] == 360


def test_without_an_evaluator_its_job_fails_with_a_sentence() -> None:
    setup = a_setup()
    outcome = Workshop(setup, survey(setup)).do(measure(EVALUATOR), a_model(setup))
    assert isinstance(outcome, Failed)
    assert "no evaluator" in outcome.reason


@pytest.mark.parametrize(
    ("worst", "said"),
    [("bug", r"the task failed: KeyError: 'nothing' (own_task.py, line"), ("exit", "SystemExit")],
)
def test_whatever_goes_wrong_in_a_task_is_an_outcome_with_its_traceback(
    tmp_path, worst: str, said: str
) -> None:
    setup = an_own_setup(tmp_path, worst=worst)
    workshop = Workshop(setup, survey(setup))
    outcome = workshop.do(train(0), a_model(setup))
    assert isinstance(outcome, Failed)
    assert said in outcome.reason
    assert "in loss" in outcome.traceback
    assert isinstance(workshop.do(measure(0), a_model(setup)), Measured), "others go on"


def test_lack_of_memory_ends_the_run(tmp_path) -> None:
    setup = an_own_setup(tmp_path, worst="memory")
    with pytest.raises(MemoryError):
        Workshop(setup, survey(setup)).do(train(0), a_model(setup))


def test_a_model_of_another_task_fails_with_a_sentence() -> None:
    setup = a_setup()
    outcome = Workshop(setup, survey(setup)).do(train(0), np.zeros(7, np.float32))
    assert isinstance(outcome, Failed)
    assert "flat float32 vector of 4810 values" in outcome.reason
