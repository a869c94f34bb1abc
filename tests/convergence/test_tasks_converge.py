"""Every kind of task learns in a whole simulated federation, masks included, from files on disk.

Data are real: scikit-learn's digits as pictures, its diabetes table as Parquet and as an archive,
and these documents as text. The score of unequal classes is the one that scikit-learn gives on
what all nodes held out, pooled.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import parquet
from sklearn import datasets, metrics

from fedtui import plugins
from fedtui.experiments import running, tables
from fedtui.experiments.engines import EngineChoice
from fedtui.learning.data import DataSource
from fedtui.learning.flat import FlatModel
from fedtui.learning.params import Params
from fedtui.learning.partition import holdout, partition
from fedtui.learning.task import load
from fedtui.learning.trainer import initial
from fedtui.simulation.report import RoundReport

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]
PLAN = """\
seed = 1
evaluation = {{ holdout = 0.2 }}
federation = {{ name = "kinds" }}
task = {{ name = "{task}", metric = "{metric}", options = {options} }}
training = {{ learning_rate = {rate}, batch_size = 8, optimizer = "adam" }}
rounds = {{ maximum = {rounds}, start_with = 6 }}
population = {{ nodes = 6, data = "{data}", split = "{split}" }}
"""
CLASSES = '{ classes = ["zero", "one", "two", "three"], size = 16, channels = 1 }'


class Quiet:
    """A Show that nobody looks at."""

    def __getattr__(self, name: str):
        return lambda *given, **more: None


def scores(folder: Path, **plan: object) -> list[float]:
    """The scores of a run's rounds, which are masked as they are by default."""
    text = PLAN.format(**({"split": "iid", "options": "{}", "rate": 0.003} | plan))
    (folder / "plan.toml").write_text(text)
    wishes = running.Wishes(plan=folder / "plan.toml", out=folder / "run", engine=EngineChoice())
    running.run(wishes, Quiet())
    return [one.score for one in tables.read(folder / "run" / "rounds.parquet", RoundReport)]


def write_pictures(folder: Path) -> Path:
    digits = datasets.load_digits()
    for number, (name, num) in enumerate(
        [("zero", 150), ("one", 150), ("two", 50), ("three", 20)]
    ):
        (folder / "own" / name).mkdir(parents=True)
        for row in np.flatnonzero(digits.target == number)[:num]:
            grey = Image.fromarray((digits.images[row] * 15).astype(np.uint8))
            grey.resize((30, 24)).save(folder / "own" / name / f"{row}.png")
    return folder / "own"


def pooled_balanced_accuracy(folder: Path, own: Path) -> float:
    """Of the model that came out, on what each node held out, by scikit-learn."""
    options = {"classes": ["zero", "one", "two", "three"], "size": 16, "channels": 1}
    task = plugins.build("tasks", "image_folder", **options)
    examples = load(task, DataSource(path=str(own)))
    shares = partition("dirichlet:0.5", examples.y, num_shards=6, seed=1)
    rows = [share[holdout(len(share), 0.2, seed=1)[1]] for share in shares]
    held = examples.take(np.concatenate(rows))
    manifest = initial(task, seed=1).manifest
    made = (folder / "run" / "model.safetensors").read_bytes()
    module = FlatModel(task.model(), Params.from_safetensors(made, manifest)).module.eval()
    with torch.no_grad():
        answers = module(torch.from_numpy(held.x)).argmax(1)
    return metrics.balanced_accuracy_score(held.y, answers)


def test_pictures_of_unequal_classes_are_told_apart(tmp_path: Path) -> None:
    own = write_pictures(tmp_path)
    plan = {"task": "image_folder", "metric": "balanced_accuracy", "options": CLASSES}
    found = scores(tmp_path, **plan, rounds=15, data=own, split="dirichlet:0.5")
    assert found[-1] > 0.9
    of_the_best = pooled_balanced_accuracy(tmp_path, own)  # which is the model that is kept
    assert max(found) == pytest.approx(of_the_best, abs=1e-9)


def test_characters_and_words_are_foretold(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    for path in (ROOT / "docs").glob("*.md"):
        (tmp_path / "texts" / f"{path.stem}.txt").write_text(path.read_text())
    plan = {"metric": "perplexity", "rate": 0.005, "data": tmp_path / "texts"}
    for task, rounds, first, last in (("char_lm", 4, 30, 12), ("word_lm", 4, 300, 95)):
        (tmp_path / task).mkdir()
        found = scores(tmp_path / task, **plan, task=task, rounds=rounds)
        assert last < found[0] < first
        assert found[-1] < last


@pytest.mark.parametrize("task", ["tabular", "arrays"])
def test_numbers_are_regressed(tmp_path: Path, task: str) -> None:
    x, y = datasets.load_diabetes(return_X_y=True)
    if task == "tabular":
        names = [f"c{k}" for k in range(10)]
        columns = dict(zip([*names, "y"], [*x.T, y], strict=True))
        parquet.write_table(pa.table(columns), tmp_path / "own.parquet")
        types = ", ".join(f'{name} = "number:0:0.05"' for name in names)
        options = f'{{ target = "y", columns = {{ {types}, y = "number:150:80" }} }}'
        data = tmp_path / "own.parquet"
    else:
        np.savez(tmp_path / "own.npz", x=x, y=y)
        options = "{ shape = [10], spread = 0.05, target_mean = 150, target_spread = 80 }"
        data = tmp_path / "own.npz"
    plan = {"task": task, "metric": "r2", "options": options, "rate": 0.01}
    found = scores(tmp_path, **plan, rounds=10, data=data)
    assert found[-1] > 0.4
