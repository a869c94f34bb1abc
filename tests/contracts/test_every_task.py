"""What every task promises, whoever wrote it: on a little data of its own kind."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fedtui import plugins
from fedtui.learning import metrics
from fedtui.learning.data import DataError, DataSource
from fedtui.learning.objectives import MultiLabel
from fedtui.learning.partition import holdout
from fedtui.learning.task import Task, describe, load
from fedtui.learning.trainer import evaluate, initial, predict, train_locally
from fedtui.learning.training import TrainingSpec

torch.set_num_threads(1)

COLUMNS = {"a": "number", "b": "number:5:2", "c": "category:x|y"}
WORDS = ["one", "two", "three", "four", "."]
OPTIONS = {
    "arrays": [
        {"shape": [2, 3], "classes": ["low", "high"]},
        {"shape": [2, 3], "labels": ["up", "down", "odd"], "hidden": []},
        {"shape": [2, 3], "mean": 0.5, "spread": 2.0, "target_mean": 3.0},
    ],
    "char_lm": [
        {"length": 8, "hidden": 16, "continue_by": 3},
        {"alphabet": "onetw .", "length": 4},
    ],
    "digits": [{}, {"model": "cnn"}],
    "image_folder": [
        {"classes": ["dark", "light", "none here"], "size": 8, "width": 4},
        {"classes": ["light", "dark"], "size": 9, "channels": 1},
    ],
    "fashion_mnist": [{"model": "mlp"}, {"model": "cnn"}],
    "tabular": [
        {"target": "c", "columns": COLUMNS},
        {"target": "b", "columns": COLUMNS, "hidden": [8, 8]},
        {"targets": ["c", "d"], "columns": COLUMNS | {"d": "category:no|yes"}},
    ],
    "word_lm": [{"words": WORDS, "buckets": 5, "length": 4}, {"buckets": 20, "length": 4}],
}


def little_data(name: str, number: int, folder: Path) -> DataSource:
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
        numbers = rng.standard_normal(40).tolist()
        rows = (f"{x},{5 + 2 * x},{'xy'[x > 0]},{['no', 'yes'][x > 1]}\n" for x in numbers)
        (folder / "table.csv").write_text("a,b,c,d\n" + "".join(rows))
        return DataSource(path=str(folder / "table.csv"))
    if name == "arrays":
        x = rng.standard_normal((40, 2, 3))
        up = x[:, 0, 0] > 0
        y = {0: up.astype(int), 1: np.stack([up, ~up, x[:, 1, 1] > 0], 1), 2: 3 + x[:, 0, 0]}
        np.savez(folder / "data.npz", x=x, y=y[number])
        return DataSource(path=str(folder / "data.npz"))
    if name == "image_folder":
        for k in range(40):
            kind = ("dark", "light")[k % 2]
            (folder / kind).mkdir(exist_ok=True)
            pixels = rng.integers(100 * (k % 2), 100 + 100 * (k % 2), (12, 10, 3), np.uint8)
            Image.fromarray(pixels).save(folder / kind / f"{k}.png")
        return DataSource(path=str(folder))
    if name in {"char_lm", "word_lm"}:
        text = " ".join(["one two three four five six ."] * 40)
        (folder / "a.txt").write_text(text)
        return DataSource(path=str(folder / "a.txt"))
    return DataSource(num_shards=20)


def options(name: str) -> list[dict[str, object]]:
    """Those to try; of a task that nobody told of here, its defaults and the data it brings."""
    return OPTIONS.get(name, [{}])


@pytest.fixture(
    params=[(name, i) for name in plugins.names("tasks") for i in range(len(options(name)))],
    ids=lambda param: f"{param[0]}-{param[1]}",
)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Task, DataSource]:
    name, number = request.param
    task = plugins.build("tasks", name, **options(name)[number])
    return task, little_data(name, number, tmp_path)


def test_examples_are_prepared_rows(made: tuple[Task, DataSource]) -> None:
    task, source = made
    examples = load(task, source)
    assert len(examples) > 30
    assert examples.y.dtype in (np.int64, np.float32)
    if examples.x.dtype == np.int64:  # tokens
        assert examples.x.min() >= 0
        return
    assert examples.x.dtype == np.float32
    assert np.isfinite(examples.x).all()
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
    spec = TrainingSpec(epochs=40, batch_size=8, learning_rate=0.01, optimizer="adam")
    update = train_locally(task, params, examples, spec, seed=(1, 1, 0)).update_D
    after = type(params)(params.manifest, params.vector_D + update)
    losses = [metrics.score("loss", evaluate(task, p, examples)) for p in (params, after)]
    assert all(map(math.isfinite, losses))
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


def test_it_can_be_measured_by_every_metric_that_it_claims(made: tuple[Task, DataSource]) -> None:
    task, source = made
    examples = load(task, source)
    params = initial(task, seed=1)
    assert task.metric in task.measures
    for metric in task.measures:
        task.metric = metric
        sums = evaluate(task, params, examples)
        assert tuple(sums) == metrics.sums_for(metric)
        assert np.isfinite(metrics.score(metric, sums)), metric
        assert metrics.possible(metric, sums)


def test_a_node_with_a_single_example_trains(made: tuple[Task, DataSource]) -> None:
    task, source = made
    examples = load(task, source).take(np.arange(1))
    params = initial(task, seed=1)
    spec = TrainingSpec(batch_size=8)
    assert train_locally(task, params, examples, spec, seed=(1, 1, 0)).num_examples == 1
    assert evaluate(task, params, examples)["examples"] >= 1


def test_predictions_are_one_per_row(made: tuple[Task, DataSource]) -> None:
    task, source = made
    x = load(task, source).x[:7]
    answers = list(predict(task, initial(task, seed=1), x))
    assert len(answers) == 7
    assert all("prediction" in answer for answer in answers)
    if task.labels:
        said = {one for answer in answers for one in str(answer["prediction"]).split("|")}
        assert said <= {*task.labels, *([""] if isinstance(task, MultiLabel) else [])}


def refusal(do: Callable[[], object]) -> str:
    """What a DataError says; empty if there is none. Any other error is a failure."""
    try:
        do()
    except DataError as error:
        return str(error)
    return ""


def own_files(task: Task, source: DataSource, folder: Path) -> tuple[DataSource, list[Path]]:
    """The source as a path, and the files behind it; where there is none, rows of digits."""
    if not source.path:
        (folder / "rows.csv").write_text("\n".join(",".join(["3"] * 65) for _ in range(4)))
        source = DataSource(path=str(folder / "rows.csv"))
    path = Path(source.path)
    return source, sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def test_data_that_is_not_there_is_named(made: tuple[Task, DataSource], tmp_path: Path) -> None:
    task, _ = made
    for read in (lambda source: load(task, source), task.inputs):
        with pytest.raises(DataError, match="nowhere"):
            read(DataSource(path=str(tmp_path / "nowhere")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty"):
        load(task, DataSource(path=str(tmp_path / "empty")))


def test_damaged_data_are_named_or_read_and_nothing_else(
    made: tuple[Task, DataSource], tmp_path: Path
) -> None:
    task, source = made
    source, files = own_files(task, source, tmp_path)
    assert len(load(task, source))
    rng = np.random.default_rng(1)
    for file in files[:2]:
        whole = file.read_bytes()
        for damage in range(30):
            spoilt = bytearray(whole)
            if damage < 3:
                spoilt = spoilt[: damage * len(whole) // 3]
            else:
                for place in rng.integers(len(whole), size=1 + damage % 4):
                    spoilt[place] = rng.integers(256)
            file.write_bytes(spoilt)
            said = refusal(lambda: load(task, source))
            assert not said or str(tmp_path) in said or said.startswith("example ")
        file.write_bytes(whole)


def test_what_to_predict_from_may_be_anything(
    made: tuple[Task, DataSource], tmp_path: Path
) -> None:
    task, _ = made
    for name in ("x.npy", "x.npz", "x.csv", "x.png", "x.parquet"):
        for content in (b"", b"\x93NUMPY\x01", b"PK\x03\x04", b"\xff\xfe a,b\n1\n", b"\0" * 99):
            path = tmp_path / name
            path.write_bytes(content)
            source = DataSource(path=str(path))
            said = refusal(lambda source=source: task.prepare(task.inputs(source)))
            assert not said or name in said
