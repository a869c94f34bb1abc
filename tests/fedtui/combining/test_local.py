import numpy as np
import pytest
from two_nodes import ONE, Quadratic

from fedtui.combining.local import Lap, Learnt, learn, used
from fedtui.learning.params import Params, ParamsError
from fedtui.learning.result import TrainError, TrainResult
from fedtui.learning.sections import with_zeros
from fedtui.learning.training import TrainingSpec
from fedtui.strategies.base import Finished, Local, Strategy
from fedtui.strategies.ditto import Ditto
from fedtui.strategies.fedavg import FedAvg
from fedtui.strategies.fednova import FedNova
from fedtui.strategies.scaffold import Scaffold

TRAINING = TrainingSpec(learning_rate=0.5)
MODEL = Params(ONE, np.zeros(1, np.float32))


def run(strategy: Strategy, held: dict[str, np.ndarray] | None = None) -> Learnt:
    learner = Quadratic(1.0, 2, 7)
    return learn(strategy, TRAINING, with_zeros(MODEL, strategy.carried), held, learner)


def test_plain_averaging_sends_what_was_learned() -> None:
    done = run(FedAvg())
    assert done.update_W.tolist() == done.own.vector_D.tolist() == [0.75]
    assert (done.num_examples, done.sums, done.held) == (7, {"loss_sum": 0, "examples": 7}, {})


def test_what_is_sent_is_wide_and_what_was_learned_is_the_models_own() -> None:
    done = run(Scaffold())
    assert done.update_W.tolist() == [0.75, -0.75]
    assert done.own.vector_D.tolist() == [0.75]
    assert done.held["control"].tolist() == [-0.75]
    again = run(Scaffold(), done.held)
    assert again.own.vector_D.tolist() != [0.75], "what the node held made no difference"


def test_the_scalars_come_with_the_sums() -> None:
    assert run(FedNova()).sums == {"loss_sum": 0, "examples": 7, "tau": 2}


def test_a_model_without_the_vectors_is_refused() -> None:
    with pytest.raises(ParamsError, match="control"):
        learn(Scaffold(), TRAINING, MODEL, None, Quadratic(1.0, 2, 7))


@pytest.mark.parametrize(
    "finished",
    [
        Finished(update_D=np.full(1, np.nan, np.float32), scalars={"tau": 1.0}),
        Finished(update_D=np.ones(1, np.float32), scalars={"tau": 0.0}),
        Finished(update_D=np.ones(1, np.float32), scalars={"tau": float("inf")}),
    ],
)
def test_what_is_no_number_never_leaves(finished: Finished) -> None:
    class Broken(Strategy):
        scalars = ("tau",)

        def finish(self, local: Local) -> Finished:
            return finished

    with pytest.raises(TrainError, match="what the strategy"):
        run(Broken())


def test_a_nodes_own_model_is_trained_second_and_whole() -> None:
    seen: list[tuple[list[float], Lap]] = []

    class Spy(Quadratic):
        def train(self, model: Params, lap: Lap) -> TrainResult:
            seen.append((model.vector_D.tolist(), lap))
            return super().train(model, lap)

    training = TrainingSpec(learning_rate=0.5, update_clip=0.1)
    held = {"personal": np.full(1, 5.0, np.float32)}
    done = learn(Ditto(lam=1.0), training, MODEL, held, Spy(1.0, 2, 7))
    (start, first), (own_start, second) = seen
    assert (start, own_start) == ([0.0], [5.0])
    assert (first.number, first.of, second.number, second.of) == (0, 2, 1, 2)
    assert first.training == training
    assert second.training == TrainingSpec(learning_rate=0.5), "what never leaves is not cut"
    assert done.own.vector_D.tolist() == done.held["personal"].tolist() == [0.5]
    assert done.update_W.tolist() == [0.75]


def test_what_a_node_uses_is_the_global_model_until_it_trained() -> None:
    own = {"personal": np.full(1, 5.0, np.float32)}
    for held, expected in ((None, 0.0), ({}, 0.0), (own, 5.0)):
        assert used(Ditto(), MODEL, held).vector_D.tolist() == [expected]


def test_what_is_held_of_another_model_is_refused() -> None:
    with pytest.raises(ParamsError, match="personal"):
        used(Ditto(), MODEL, {"personal": np.zeros(2, np.float32)})


def test_what_training_changed_is_known_beside_what_is_sent_of_it() -> None:
    for strategy in (FedAvg(), Scaffold(), FedNova()):
        done = run(strategy)
        changed_D = done.own.vector_D - MODEL.vector_D
        assert done.update_W[: len(changed_D)] * done.stretch == pytest.approx(changed_D)
    assert run(FedNova()).stretch == pytest.approx(2), "it sends the update by its steps"
