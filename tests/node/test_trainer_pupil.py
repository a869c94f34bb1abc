"""What the trainer makes of a round under strategies that move or hold more than an update."""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
import safetensors.numpy

from fedtui import plugins
from fedtui.combining.local import learn
from fedtui.learning import trainer
from fedtui.learning.data import DataSource
from fedtui.learning.params import Params
from fedtui.learning.sections import with_zeros
from fedtui.learning.task import own, prepared
from fedtui.learning.trainer import initial
from fedtui.learning.training import TrainingSpec
from fedtui.rounds.shrinking import Spot, built
from fedtui.strategies.ditto import Ditto
from fedtui.tasks.digits import Digits
from node import jobs
from node.trainer_child import Jobs
from node.trainer_pipes import Inbox, Outbox
from node.trainer_pupil import Pupil

if TYPE_CHECKING:
    from fedtui.learning.result import TrainProgress

TASK = jobs.TaskRef(name="digits")


def job(folder: Path, strategy: str, carried: tuple[str, ...] = (), **fields) -> jobs.TrainJob:
    wide = with_zeros(initial(Digits(), seed=1), carried)
    model = folder / "model.f32"
    model.write_bytes(wide.vector_D.tobytes())
    return jobs.TrainJob(
        job_id=1,
        task=TASK,
        data=DataSource(split="iid", shard=0, num_shards=20),
        manifest=wide.manifest,
        model_path=str(model),
        training=TrainingSpec(steps=3),
        seed=1,
        round=1,
        node_index=0,
        out_path=str(folder / "update.f32"),
        strategy=strategy,
        holdout=0.2,
        judge=100,
        **fields,
    )


FEDPER = {"stays": ["2.*"]}
HEAD = 64 * 64 + 64
"""Where the last layer begins in the vector of the digits' model."""


def sent(asked: jobs.TrainJob) -> tuple[jobs.Trained, np.ndarray]:
    outcome = Jobs(Inbox(), Outbox()).do(asked)
    assert isinstance(outcome, jobs.Trained), outcome
    return outcome, np.fromfile(asked.out_path, "<f4")


def test_what_travels_is_wide_and_what_is_held_lies_on_disk(tmp_path: Path) -> None:
    held = tmp_path / "held"
    asked = job(tmp_path, "scaffold", ("control",), held_out=str(held))
    outcome, update = sent(asked)
    own = len(update) // 2
    assert update.nbytes == asked.manifest.num_bytes
    np.testing.assert_allclose(update[own:], -update[:own] / (3 * 0.05), rtol=1e-4, atol=1e-5)
    assert np.array_equal(safetensors.numpy.load_file(held)["control"], update[own:])
    assert outcome.judged is not None
    assert outcome.judged.after["loss_sum"] < outcome.judged.before["loss_sum"]


def test_training_begins_with_what_was_held(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    _, before = sent(job(tmp_path, "feddyn", held_out=str(first)))
    _, again = sent(job(tmp_path, "feddyn", held_out=str(second)))
    assert np.array_equal(before, again), "the same round, tried again, is the same"
    _, after = sent(job(tmp_path, "feddyn", held_in=str(first), held_out=str(second)))
    assert not np.array_equal(before, after)


def test_what_cannot_be_read_is_the_operators_to_mend(tmp_path: Path) -> None:
    torn = tmp_path / "torn"
    torn.write_bytes(b"torn")
    asked = job(tmp_path, "feddyn", held_in=str(torn), held_out=str(tmp_path / "held"))
    outcome = Jobs(Inbox(), Outbox()).do(asked)
    assert isinstance(outcome, jobs.JobFailed)
    assert str(torn) in outcome.reason
    assert not Path(asked.out_path).exists(), "an update without what it belongs to"


@pytest.mark.parametrize(("strategy", "scalar"), [("fednova", "tau"), ("qfedavg", "h")])
def test_the_strategys_number_goes_with_the_sums(
    tmp_path: Path, strategy: str, scalar: str
) -> None:
    outcome, _ = sent(job(tmp_path, strategy))
    assert outcome.sums.keys() == {"loss_sum", "examples", scalar}
    assert outcome.sums["tau"] == 3 if scalar == "tau" else outcome.sums["h"] > 0


def test_a_wide_model_is_judged_by_itself(tmp_path: Path) -> None:
    asked = job(tmp_path, "scaffold", ("control",), held_out=str(tmp_path / "held"))
    evaluate = jobs.EvaluateJob(
        job_id=2,
        task=TASK,
        data=asked.data,
        manifest=asked.manifest,
        model_path=asked.model_path,
        seed=1,
        strategy="scaffold",
    )
    outcome = Jobs(Inbox(), Outbox()).do(evaluate)
    assert isinstance(outcome, jobs.Evaluated)
    assert outcome.sums["examples"] > 0
    assert Params(asked.manifest, np.fromfile(asked.model_path, "<f4")).norm() > 0


def test_of_tensors_that_stay_zeros_leave_and_the_values_are_held(tmp_path: Path) -> None:
    held = tmp_path / "held"
    asked = job(tmp_path, "fedper", strategy_options=FEDPER, held_out=str(held))
    outcome, update = sent(asked)
    assert update[HEAD:].tobytes() == bytes(4 * 650)
    assert update[:HEAD].any()
    model, own = np.fromfile(asked.model_path, "<f4"), safetensors.numpy.load_file(held)["own"]
    assert np.abs(own[HEAD:] - model[HEAD:]).max() > 0
    assert outcome.judged is not None
    assert outcome.judged.after["loss_sum"] < outcome.judged.before["loss_sum"]


def test_a_node_judges_and_answers_with_its_own_tensors(tmp_path: Path) -> None:
    held, rows = tmp_path / "held", tmp_path / "x.csv"
    asked = job(tmp_path, "fedper", strategy_options=FEDPER, held_out=str(held))
    trained, _ = sent(asked)
    np.savetxt(rows, np.random.default_rng(1).integers(0, 17, (5, 64)), fmt="%d", delimiter=",")

    def with_held(path: str) -> tuple[dict[str, float], str]:
        about = {
            "job_id": 2,
            "task": TASK,
            "manifest": asked.manifest,
            "model_path": asked.model_path,
            "strategy": "fedper",
            "strategy_options": FEDPER,
            "held_in": path,
        }
        evaluated = Jobs(Inbox(), Outbox()).do(
            jobs.EvaluateJob(data=asked.data, seed=1, holdout=0.2, **about)
        )
        out = tmp_path / "answers"
        answered = Jobs(Inbox(), Outbox()).do(
            jobs.PredictJob(data=DataSource(path=str(rows)), out_path=str(out), **about)
        )
        assert isinstance(evaluated, jobs.Evaluated), evaluated
        assert isinstance(answered, jobs.Predicted), answered
        return evaluated.sums, out.read_text()

    sums, answers = with_held("")
    own_sums, own_answers = with_held(str(held))
    assert trained.judged is not None
    assert sums == trained.judged.before, "who never trained has the global model"
    assert own_sums["loss_sum"] < sums["loss_sum"]
    assert own_answers != answers
    asked = job(tmp_path, "fedper", strategy_options=FEDPER, held_in=str(held))
    again, _ = sent(msgspec.structs.replace(asked, held_out=str(tmp_path / "next")))
    assert again.judged is not None
    assert again.judged.before == own_sums


def test_a_model_that_the_strategy_does_not_fit_is_not_trained(tmp_path: Path) -> None:
    asked = job(tmp_path, "fedper", held_out=str(tmp_path / "held"))
    outcome = Jobs(Inbox(), Outbox()).do(asked)
    assert isinstance(outcome, jobs.JobFailed)
    assert "head.*" in outcome.reason
    assert "2.weight" in outcome.reason
    assert not Path(asked.out_path).exists()


def test_a_node_judges_and_keeps_a_model_of_its_own(tmp_path: Path) -> None:
    held = tmp_path / "held"
    _, plain = sent(job(tmp_path, "fedavg"))
    asked = job(tmp_path, "ditto", held_out=str(held))
    first, update = sent(asked)
    assert update.tobytes() == plain.tobytes(), "of the own model nothing leaves"
    personal = safetensors.numpy.load_file(held)["personal"]
    model = np.fromfile(asked.model_path, "<f4")
    assert not np.array_equal(personal, model)
    assert not np.array_equal(personal, model + update)
    again, update = sent(
        job(tmp_path, "ditto", held_in=str(held), held_out=str(tmp_path / "next"))
    )
    assert update.tobytes() == plain.tobytes()
    assert first.judged is not None
    assert again.judged is not None
    assert again.judged.before == first.judged.after, "it went on from its own model"


def test_two_trainings_are_told_as_one(tmp_path: Path) -> None:
    task, strategy = Digits(), Ditto()
    said: list[TrainProgress] = []
    asked = job(tmp_path, "ditto")
    training = TrainingSpec(epochs=2, batch_size=16)
    examples = prepared(task, own(task, asked.data))
    pupil = Pupil(
        side=trainer,
        job=asked,
        task=task,
        examples=examples,
        strategy=strategy,
        progress=said.append,
        cancelled=lambda: False,
        notice=said.append,
        enough=None,
    )
    learn(strategy, training, initial(task, seed=1), None, pupil)
    size = len(examples)
    batches = -(-size // 16)
    assert [one.epoch for one in said] == [n for n in (1, 2, 3, 4) for _ in range(batches)]
    assert {one.num_epochs for one in said} == {4}
    done = [one.num_examples_done for one in said]
    assert done == sorted(done)
    assert done[-1] == 4 * size


TOP = (("top_k", {"fraction": 0.05}),)


def test_what_does_not_leave_is_held_and_leaves_later(tmp_path: Path) -> None:
    """Nothing is lost: what left and what is held are what was trained, and so is the next one."""
    _, plain = sent(job(tmp_path, "fedavg"))
    first, second = tmp_path / "first", tmp_path / "second"
    asked = job(tmp_path, "fedavg", held_out=str(first), transforms=TOP)
    _, leaves = sent(asked)
    chain, spot = built(TOP), Spot(asked.seed, asked.round)
    restored = chain.backward(leaves, len(plain), spot, 0)
    held = safetensors.numpy.load_file(first)["unsent"]
    assert leaves.nbytes < plain.nbytes / 8
    np.testing.assert_allclose(restored + held, plain, atol=1e-6)
    again = job(tmp_path, "fedavg", held_in=str(first), held_out=str(second), transforms=TOP)
    _, later = sent(again)
    next_held = safetensors.numpy.load_file(second)["unsent"]
    next_restored = chain.backward(later, len(plain), spot, 0)
    np.testing.assert_allclose(next_restored + next_held, plain + held, atol=1e-6)


def test_what_is_held_for_strategy_and_transforms_lies_together(tmp_path: Path) -> None:
    held = tmp_path / "held"
    options = {"lam": 0.1}
    sent(job(tmp_path, "ditto", held_out=str(held), transforms=TOP, strategy_options=options))
    assert safetensors.numpy.load_file(held).keys() == {*Ditto.held, "unsent"}


def test_a_strategy_of_the_operators_own_that_fails_is_named_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(plugins.OWN_VARIABLE, "")  # so that it is put back
    file = tmp_path / "plugins" / "strategies" / "broken.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "from fedtui.strategies.fedavg import FedAvg\n"
        "class Broken(FedAvg):\n"
        "    def finish(self, local):\n"
        "        return local.nothing\n"
        "build = Broken\n"
    )
    plugins.use_own(tmp_path / "plugins")
    outcome = Jobs(Inbox(), Outbox()).do(job(tmp_path, "broken"))
    assert isinstance(outcome, jobs.JobFailed)
    assert outcome.kind == "task"
    assert outcome.reason.startswith("the strategy failed: AttributeError")
    assert outcome.reason.endswith("(broken.py, line 4)")
