"""Federated averaging as a plain torch loop: no framework, no protocol, no messages.

What simulations are held against, in speed and in what they learn. Each node begins at the round's
model, takes its batches of the order (seed, round, node) with `torch.optim.SGD`, and the mean of
the nodes' changes, weighted by examples, moves the model. As a program it prints the seconds of
each round on Fashion-MNIST, as one JSON array:

    python -m benchmarks.plain_loop --rounds 4
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from fedtui import plugins
from fedtui.learning.data import DataSource
from fedtui.learning.partition import partition
from fedtui.learning.task import load
from fedtui.learning.trainer import initial

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

    from fedtui.learning.data import Examples
    from fedtui.learning.params import Vector
    from fedtui.learning.partition import Indices
    from fedtui.learning.task import Task


def rounds(
    task: Task,
    train: Examples,
    shards: list[Indices],
    first_D: Vector,
    *,
    learning_rate: float,
    batch_size: int,
    seed: int,
) -> Iterator[tuple[nn.Module, Vector]]:
    """After each round without end: the module with the new model loaded, and that model."""
    module = task.model()
    x, y = torch.from_numpy(train.x), torch.from_numpy(train.y)
    shares = [np.sort(shard) for shard in shards]
    whole = sum(map(len, shares))
    model_D, number = first_D.copy(), 0
    while True:
        number += 1
        mean_D = np.zeros(len(model_D), np.float64)
        for node, rows in enumerate(shares):
            vector_to_parameters(torch.from_numpy(model_D.copy()), module.parameters())
            order = rows[np.random.default_rng([seed, number, node]).permutation(len(rows))]
            _one_epoch(module, x, y, torch.from_numpy(order).split(batch_size), learning_rate)
            update_D = parameters_to_vector(module.parameters()).detach().numpy() - model_D
            mean_D += update_D.astype(np.float64) * (len(rows) / whole)
        model_D = (model_D + mean_D).astype(np.float32)
        vector_to_parameters(torch.from_numpy(model_D.copy()), module.parameters())
        yield module, model_D


def _one_epoch(
    module: nn.Module, x: Tensor, y: Tensor, batches: tuple[Tensor, ...], learning_rate: float
) -> None:
    optimizer = torch.optim.SGD(module.parameters(), lr=learning_rate)
    for rows in batches:
        optimizer.zero_grad()
        functional.cross_entropy(module(x[rows]), y[rows]).backward()
        optimizer.step()


def accuracy(module: nn.Module, test: Examples) -> float:
    """The share of examples whose class is the module's first choice."""
    with torch.no_grad():
        chosen = module(torch.from_numpy(test.x)).argmax(dim=1)
    return float((chosen == torch.from_numpy(test.y)).sum()) / len(test)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--nodes", type=int, default=10)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    task = plugins.build("tasks", "fashion_mnist", model="mlp")
    train = load(task, DataSource())
    shards = partition("iid", train.y, num_shards=chosen.nodes, seed=1)
    first_D = initial(task, seed=1).vector_D
    loop = rounds(task, train, shards, first_D, learning_rate=0.05, batch_size=32, seed=1)
    seconds = []
    for _ in range(chosen.rounds):
        began_s = time.perf_counter()
        next(loop)
        seconds.append(time.perf_counter() - began_s)
    json.dump(seconds, sys.stdout)


if __name__ == "__main__":
    main()
