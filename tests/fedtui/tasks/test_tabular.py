from pathlib import Path

import numpy as np
import pytest
import torch

from fedtui import plugins
from fedtui.learning import metrics
from fedtui.learning.data import DataError, DataSource
from fedtui.learning.params import Params
from fedtui.learning.task import load
from fedtui.learning.trainer import evaluate, initial, predict, train_locally
from fedtui.learning.training import TrainingSpec
from fedtui.plugins import PluginError
from fedtui.tasks.tabular import build

torch.set_num_threads(1)

COLUMNS = {"area": "number:80:30", "heating": "category:gas|pump", "price": "number:250000:90000"}


@pytest.fixture
def source(tmp_path: Path) -> DataSource:
    rng = np.random.default_rng(1)
    path = tmp_path / "houses.csv"
    with path.open("w") as file:
        file.write("area,heating,price,street\n")
        for area in rng.normal(80, 30, 200):
            pump = rng.random() < 0.5
            file.write(
                f"{area},{'pump' if pump else 'gas'},{2500 * area + 50_000 + 40_000 * pump},x\n"
            )
    return DataSource(path=str(path))


def trained(task, source: DataSource, **training) -> tuple[Params, dict[str, float]]:
    examples = load(task, source)
    params = initial(task, seed=1)
    spec = TrainingSpec(epochs=30, batch_size=16, **training)
    update = train_locally(task, params, examples, spec, seed=(1, 1, 0)).update_D
    after = params.add(Params(params.manifest, update))
    return after, evaluate(task, after, examples)


def test_a_number_is_regressed_in_its_own_units(source: DataSource) -> None:
    task = build(target="price", columns=COLUMNS)
    params, sums = trained(task, source, learning_rate=0.05)
    assert metrics.score("rmse", sums) < 10_000
    assert metrics.score("r2", sums) > 0.98
    answer = next(predict(task, params, task.prepare(task.inputs(source))))
    assert 50_000 < answer["prediction"] < 600_000


def test_a_category_is_classified(source: DataSource) -> None:
    task = build(target="heating", columns=COLUMNS, hidden=[16])
    _, sums = trained(task, source, learning_rate=0.01, optimizer="adam")
    assert task.labels == ("gas", "pump")
    assert metrics.score("accuracy", sums) > 0.9


def test_prediction_needs_no_target_column(tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("heating,area\npump,80\n")
    task = build(target="price", columns=COLUMNS)
    assert task.inputs(DataSource(path=str(path))).tolist() == [[0.0, 0.0, 1.0]]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"target": "rent"}, "not among the columns area, heating, price"),
        ({"columns": {"price": "number"}}, "besides the target"),
        ({"hidden": [0]}, "widths from 1 to 4096"),
        ({"hidden": [8] * 9}, "up to 8"),
        ({"columns": COLUMNS | {"area": "float"}}, "column 'area' has type 'float'"),
        ({"targets": ["heating"]}, "and not both"),
        ({"target": None}, "say the target column"),
        ({"target": None, "targets": []}, "must be a target"),
        ({"target": None, "targets": ["rent"]}, "'rent' is not among"),
        ({"target": None, "targets": ["price"]}, r"'price' is a label: .*category:no\|yes"),
    ],
)
def test_options_are_checked(options: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build(**{"target": "price", "columns": COLUMNS} | options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"target": 1}, "target is the name of a column, not 1"),
        ({"columns": '{"age": "number"}'}, r"columns is a table, .*\[task.options.columns\]"),
        ({"columns": ["price"]}, "columns is a table"),
        (
            {"columns": COLUMNS | {"area": 80}},
            "column 'area' is a text such as \"number\", not 80",
        ),
        ({"hidden": "64"}, r"hidden is a list of whole numbers such as \[64\], not '64'"),
        ({"hidden": [16, "8"]}, "hidden is a list of whole numbers"),
        ({"hidden": [True]}, "hidden is a list of whole numbers"),
    ],
)
def test_an_option_of_another_type_is_said_in_a_sentence(options: dict, said: str) -> None:
    with pytest.raises(PluginError, match=said):
        plugins.build("tasks", "tabular", **{"target": "price", "columns": COLUMNS} | options)


def test_without_hidden_layers_it_is_a_linear_model() -> None:
    task = build(target="price", columns=COLUMNS, hidden=[])
    assert initial(task, seed=1).manifest.num_values == 4


def test_several_labels_are_columns_of_no_and_yes(tmp_path: Path) -> None:
    path = tmp_path / "visits.csv"
    path.write_text("age,flu,asthma\n" + "20,no,yes\n60,yes,no\n" * 30)
    columns = {"age": "number:40:20", "flu": "category:no|yes", "asthma": "category:no|yes"}
    task = build(targets=["flu", "asthma"], columns=columns)
    assert task.labels == ("flu", "asthma")
    source = DataSource(path=str(path))
    assert load(task, source).y[:2].tolist() == [[0, 1], [1, 0]]
    params, sums = trained(task, source, learning_rate=0.02, optimizer="adam")
    assert metrics.score("macro_f1", sums) > 0.99
    answers = list(predict(task, params, task.prepare(task.inputs(source))[:2]))
    assert [answer["prediction"] for answer in answers] == ["asthma", "flu"]


def test_a_class_that_nobody_has_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("area,heating\n80,gas\n")
    columns = {"area": "number:80:30", "heating": "category:gas|pump|wood"}
    _, sums = trained(build(target="heating", columns=columns), DataSource(path=str(path)))
    assert sums["examples"] == 1


def test_parquet_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.parquet"
    task = build(target="price", columns=COLUMNS)
    for content in (b"", b"PAR1 and nothing"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"broken\.parquet is not a Parquet file that can be"):
            load(task, DataSource(path=str(path)))
