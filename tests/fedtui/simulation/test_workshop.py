"""A simulated node's outcome is a real node's, bit for bit; what goes wrong is an outcome, too."""

import dataclasses

import msgspec
import numpy as np
import pytest
from a_setup import TRAINING, a_digest, a_model, a_null_setup, a_setup, an_own_setup, bits

from fedtui import plugins
from fedtui.learning import trainer
from fedtui.learning.data import DataSource, Examples
from fedtui.learning.params import Params
from fedtui.learning.partition import holdout
from fedtui.learning.task import load
from fedtui.rounds.plan import Named, TaskSection
from fedtui.simulation.ground import EVALUATOR, survey
from fedtui.simulation.jobs import Failed, Measured, MeasureJob, Trained, TrainJob
from fedtui.simulation.population import ShiftSection
from fedtui.simulation.shift import shifted
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


class Liar:
    """Tells what it was given; keeps half of its examples, all of one class."""

    trains = True

    def __init__(self) -> None:
        self.seen = []

    def examples(self, x, y, num_classes, rng):
        self.seen.append((len(x), num_classes, rng.integers(2**40)))
        return x[::2], y[::2] * 0

    def update(self, update_D, rng):
        self.seen.append((update_D, rng.integers(2**40)))
        return -update_D

    def claimed(self, num_examples):
        return 7 * num_examples


def attacking(monkeypatch, liar, setup=None):
    """Node 1 attacks; outcomes of nodes 0 and 1 in rounds 1 and 2, and the workshop."""
    build = plugins.build
    monkeypatch.setattr(
        plugins, "build", lambda kind, *a, **o: liar if kind == "attacks" else build(kind, *a, **o)
    )
    setup = setup or a_setup(attacks={1: ("liar", {})})
    workshop = Workshop(setup, survey(setup))
    model_D = a_model(setup)
    return workshop, [[workshop.do(train(n, r), model_D) for n in (0, 1)] for r in (1, 2)]


def test_an_attacker_lies_with_examples_update_and_weight_and_measures_honestly(
    monkeypatch,
) -> None:
    liar, honest = Liar(), a_setup()
    workshop, ((zero, one), _) = attacking(monkeypatch, liar)
    plain, model_D = Workshop(honest, survey(honest)), a_model(honest)
    assert bits(zero.update_D) == bits(plain.do(train(0), model_D).update_D)
    (num, num_classes, drawn), (learned_D, more), (_, _, later), _ = liar.seen
    straight = plain.do(train(1), model_D)
    assert (num, num_classes) == (straight.num_examples, 10)
    assert bits(one.update_D) == bits(-learned_D)
    assert one.num_examples == 7 * -(-num // 2)
    assert one.sums["examples"] == -(-num // 2)
    assert bits(learned_D) != bits(straight.update_D)
    assert len({drawn, more, later}) == 3, "each round and each lie draws anew"
    assert workshop.do(train(1), model_D).sums == one.sums
    assert liar.seen[4][2] == drawn, "and the same when done again"
    assert workshop.do(measure(1), model_D) == plain.do(measure(1), model_D)


def test_what_has_no_class_per_example_has_none_for_an_attacker(monkeypatch, tmp_path) -> None:
    (tmp_path / "text.txt").write_text("some words of a text " * 50)
    setup = a_setup(attacks={1: ("liar", {})})
    task = TaskSection(name="char_lm", metric="perplexity", options={"length": 4, "hidden": 4})
    setup = dataclasses.replace(
        setup,
        plan=msgspec.structs.replace(setup.plan, task=task),
        population=msgspec.structs.replace(
            setup.population, data=str(tmp_path / "text.txt"), split="iid"
        ),
    )
    liar = Liar()
    attacking(monkeypatch, liar, setup)
    assert liar.seen[0][1] == 0, "no classes: label_flip and backdoor refuse"


def test_an_attacker_that_needs_no_training_is_spared_it(monkeypatch, tmp_path) -> None:
    liar = Liar()
    liar.trains = False
    setup = an_own_setup(tmp_path, worst="bug", attacks={1: ("liar", {})})
    _, ((zero, one), _) = attacking(monkeypatch, liar, setup)
    assert isinstance(zero, Failed)
    assert not liar.seen[0][0].any()
    assert one.num_examples > 0
    assert one.sums == {"loss_sum": 0, "examples": 0}


def test_shifted_inputs_are_prepared_by_each_node_for_itself() -> None:
    setup = a_setup()
    section = ShiftSection(name="brightness", strength=0.5)
    population = msgspec.structs.replace(setup.population, shift=section)
    moved = dataclasses.replace(setup, population=population)
    ground, model_D, task = survey(moved), a_model(setup), setup.task()
    assert ground.is_raw
    own = task.data(DataSource()).take(ground.share(2))
    x = task.prepare(shifted(own.x, section, setup.data_seed, 2))
    training, _ = holdout(len(own), 0.2, seed=setup.plan.seed)
    params = Params(trainer.Workbench(task).manifest, model_D)
    expected = trainer.train_locally(
        task, params, Examples(x, own.y).take(training), TRAINING, seed=(setup.plan.seed, 1, 2)
    )
    outcome = Workshop(moved, ground).do(train(2), model_D)
    assert bits(outcome.update_D) == bits(expected.update_D)
    plain = Workshop(setup, survey(setup)).do(train(2), model_D)
    assert bits(outcome.update_D) != bits(plain.update_D)


def test_a_fixed_update_needs_no_data_and_is_checked_once() -> None:
    setup = a_null_setup(dim=100)
    ground = survey(setup)
    assert (ground.examples, ground.num_nodes) == (None, 0)
    workshop, model_D = Workshop(setup, ground), np.zeros(100, np.float32)
    outcome = workshop.do(train(3), model_D)
    expected_D = setup.task().fixed_update(setup.task().manifest(), setup.plan.seed)
    assert bits(outcome.update_D) == bits(expected_D)
    assert (outcome.num_examples, outcome.sums) == (1, {"loss_sum": 0, "examples": 1})
    assert workshop.do(measure(EVALUATOR), model_D).sums == outcome.sums
    flipped = dataclasses.replace(setup, attacks={3: ("sign_flip", {})})
    opposite = Workshop(flipped, ground).do(train(3), model_D)
    assert bits(opposite.update_D) == bits(-expected_D)


def test_A1_a_fixed_update_that_is_not_finite_goes_nowhere(monkeypatch) -> None:
    setup = a_null_setup(dim=10)
    workshop = Workshop(setup, survey(setup))
    bad = np.full(10, np.nan, np.float32)
    monkeypatch.setattr(workshop._craft._task, "fixed_update", lambda manifest, seed: bad)
    outcome = workshop.do(train(0), np.zeros(10, np.float32))
    assert isinstance(outcome, Failed)
    assert "value 0 of the task's update is NaN" in outcome.reason


def test_a_node_measures_the_model_as_it_uses_it() -> None:
    chosen = Named(name="fedper", options={"stays": ["2.*"]})
    setup = a_setup()
    setup = dataclasses.replace(setup, plan=msgspec.structs.replace(setup.plan, strategy=chosen))
    workshop, model_D = Workshop(setup, survey(setup)), a_model(setup)
    trained = workshop.do(train(0), model_D)
    assert isinstance(trained, Trained)
    own_D = model_D.copy()
    own_D[-650:] = trained.held["own"][-650:]
    plain = workshop.do(measure(0), own_D)
    own = workshop.do(dataclasses.replace(measure(0), held=trained.held), model_D)
    assert own == plain
    assert own != workshop.do(measure(0), model_D)


def test_a_node_with_too_little_time_makes_the_steps_that_fit() -> None:
    setup = a_setup()
    workshop, model_D = Workshop(setup, survey(setup)), a_model(setup)
    whole = workshop.do(train(0), model_D)
    half = workshop.do(dataclasses.replace(train(0), share=0.5), model_D)
    least = workshop.do(dataclasses.replace(train(0), share=1e-9), model_D)
    assert least.num_examples == min(setup.plan.training.batch_size, whole.num_examples)
    assert least.num_examples <= half.num_examples < whole.num_examples
    assert half.sums["examples"] <= whole.sums["examples"] / 2 + setup.plan.training.batch_size
    again = workshop.do(dataclasses.replace(train(0), share=1.0), model_D)
    assert bits(again.update_D) == bits(whole.update_D)
