import numpy as np
import pytest
from two_nodes import ONE, Quadratic

from fedtui.combining.local import Learnt, learn
from fedtui.learning.params import Params, ParamsError
from fedtui.learning.result import TrainError
from fedtui.learning.sections import with_zeros
from fedtui.learning.training import TrainingSpec
from fedtui.strategies.base import Finished, Local, Strategy
from fedtui.strategies.fedavg import FedAvg
from fedtui.strategies.fednova import FedNova
from fedtui.strategies.scaffold import Scaffold

TRAINING = TrainingSpec(learning_rate=0.5)
MODEL = Params(ONE, np.zeros(1, np.float32))


def run(strategy: Strategy, held: dict[str, np.ndarray] | None = None) -> Learnt:
    learner = Quadratic(strategy, TRAINING, 1.0, 2, 7)
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
        learn(Scaffold(), TRAINING, MODEL, None, Quadratic(Scaffold(), TRAINING, 1.0, 2, 7))


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
