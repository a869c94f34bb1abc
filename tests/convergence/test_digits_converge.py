"""FedAvg on the bundled digits: four nodes, held-out examples of their own, in one process."""

import numpy as np
import pytest
import torch

from fedtui import plugins
from fedtui.learning import metrics
from fedtui.learning.data import DataSource
from fedtui.learning.params import Params
from fedtui.learning.partition import holdout
from fedtui.learning.task import load
from fedtui.learning.trainer import evaluate, initial, train_locally
from fedtui.learning.training import TrainingSpec
from fedtui.strategies.base import Cohort, first_state

TRAINING = TrainingSpec(epochs=1, batch_size=16, learning_rate=0.1, momentum=0.9)


def accuracy_after(num_rounds: int, split: str, model: str) -> float:
    torch.set_num_threads(1)
    task = plugins.build("tasks", "digits", model=model)
    strategy = plugins.build("strategies", "fedavg")
    shares = [load(task, DataSource(split=split, shard=k, num_shards=4, seed=1)) for k in range(4)]
    parts = [(s, *holdout(len(s), 0.2, seed=1)) for s in shares]
    nodes = [(s.take(train), s.take(held)) for s, train, held in parts]
    params = initial(task, seed=1)
    state = first_state(strategy, params.manifest.num_values)
    total = sum(len(train) for train, _ in nodes)
    for number in range(1, num_rounds + 1):
        mean = np.zeros(params.manifest.num_values)
        for index, (train, _) in enumerate(nodes):
            result = train_locally(task, params, train, TRAINING, seed=(1, number, index))
            mean += result.update_D.astype(np.float64) * (result.num_examples / total)
        vector, state = strategy.apply(params.vector_D, mean, state, Cohort(len(shares)))
        params = Params(params.manifest, vector)
    sums: dict[str, float] = {}
    for _, held in nodes:
        sums = metrics.add(sums, evaluate(task, params, held))
    return metrics.score("accuracy", sums)


@pytest.mark.parametrize("split", ["iid", "dirichlet:0.5", "quantity:1"])
def test_four_nodes_reach_their_target(split: str) -> None:
    assert accuracy_after(8, split, "mlp") >= 0.95


def test_the_convolutions_reach_it_too() -> None:
    assert accuracy_after(6, "iid", "cnn") >= 0.95
