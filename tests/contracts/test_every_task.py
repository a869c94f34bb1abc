"""What every task promises, whoever wrote it: on a little data of its own kind."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fedtui import plugins
from fedtui.learning import metrics
from fedtui.learning.data import DataSource
from fedtui.learning.partition import holdout
from fedtui.learning.task import Task, describe, load
from fedtui.learning.trainer import evaluate, initial, predict, train_locally
from fedtui.learning.training import TrainingSpec

torch.set_num_threads(1)

COLUMNS = {"a": "number", "b": "number:5:2", "c": "category:x|y"}
OPTIONS = {
    "digits": [{}, {"model": "cnn"}],
    "fashion_mnist": [{"model": "mlp"}, {"model": "cnn"}],
    "tabular": [
        {"target": "c", "columns": COLUMNS},
        {"target": "b", "columns": COLUMNS, "hidden": [8, 8]},
    ],
}


def little_data(name: str, folder: Path) -> DataSource:
    rng = np.random.default_rng(1)
    if name == "fashion_mnist":
        for prefix in ("train", "t10k"):
            head = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (40, 28, 28))
            pixels = rng.integers(256, size=40 * 784, dtype=np.uint8).tobytes()
            (folder / f"{prefix}-images-idx3-ubyte").write_bytes(head + pixels)
            labels = bytes(b"\0\0\x08\x01" + (40).to_bytes(4, "big")) + bytes(range(10)) * 4
            (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(labels)
        return DataSource(path=str(folder))
    if name == "tabular":
        rows = "".join(f"{x},{5 + 2 * x},{'xy'[int(x > 0)]}\n" for x in rng.standard_normal(40))
        (folder / "table.csv").write_text("a,b,c\n" + rows)
        return DataSource(path=str(folder / "table.csv"))
    return DataSource(num_shards=20)


@pytest.fixture(
    params=[(name, i) for name in plugins.names("tasks") for i in range(len(OPTIONS[name]))],
    ids=lambda param: f"{param[0]}-{param[1]}",
)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Task, DataSource]:
    name, number = request.param
    task = plugins.build("tasks", name, **OPTIONS[name][number])
    return task, little_data(name, tmp_path)


def test_examples_are_prepared_rows(made: tuple[Task, DataSource]) -> None:
    task, source = made
    examples = load(task, source)
    assert len(examples) > 30
    assert examples.x.dtype == np.float32
    assert np.isfinite(examples.x).all()
    assert examples.y.dtype in (np.int64, np.float32)
    assert np.abs(examples.x.mean()) < 2, "inputs are scaled"


def test_models_are_equal_for_equal_seeds(made: tuple[Task, DataSource]) -> None:
    task, _ = made
    one, two, three = (initial(task, seed=s) for s in (1, 1, 2))
    assert one.manifest == two.manifest == three.manifest
    assert one.vector_D.tobytes() == two.vector_D.tobytes() != three.vector_D.tobytes()
    assert f"{one.manifest.num_values:,} numbers" in describe(one.manifest, task.metric)


def test_training_learns_its_own_examples(made: tuple[Task, DataSource]) -> None:
    task, source = made
    examples = load(task, source).take(np.arange(24))
    params = initial(task, seed=1)
    spec = TrainingSpec(epochs=12, batch_size=8, learning_rate=0.003, optimizer="adam")
    update = train_locally(task, params, examples, spec, seed=(1, 1, 0)).update_D
    after = type(params)(params.manifest, params.vector_D + update)
    losses = [metrics.score("loss", evaluate(task, p, examples)) for p in (params, after)]
    assert losses[1] < 0.7 * losses[0]


def test_sums_are_those_that_the_metric_names_and_add_up(made: tuple[Task, DataSource]) -> None:
    task, source = made
    examples = load(task, source)
    params = initial(task, seed=1)
    whole = evaluate(task, params, examples)
    assert tuple(whole) == metrics.sums_for(task.metric)
    total: dict[str, float] = {}
    for part in holdout(len(examples), 0.3, seed=1):
        total = metrics.add(total, evaluate(task, params, examples.take(part)))
    assert total == pytest.approx(whole, rel=1e-5)
    assert np.isfinite(metrics.score(task.metric, whole))


def test_predictions_are_one_per_row(made: tuple[Task, DataSource]) -> None:
    task, source = made
    x = load(task, source).x[:7]
    answers = list(predict(task, initial(task, seed=1), x))
    assert len(answers) == 7
    assert all("prediction" in answer for answer in answers)
    if task.labels:
        assert {answer["prediction"] for answer in answers} <= set(task.labels)
