from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fedtui import plugins
from fedtui.learning import metrics
from fedtui.learning.data import DataError, DataSource
from fedtui.learning.params import Params
from fedtui.learning.task import load
from fedtui.learning.trainer import evaluate, initial, predict, train_locally
from fedtui.learning.training import TrainingSpec
from fedtui.plugins import PluginError
from fedtui.tasks.image_folder import build

torch.set_num_threads(1)
CLASSES = ["bars", "rows"]


def draw(folder: Path, kind: str, number: int) -> Path:
    """Upright bars or rows across, of random widths and colours."""
    rng = np.random.default_rng([number, kind == "bars"])
    line = np.repeat(rng.integers(0, 256, (8, 3)), 3, axis=0)
    pixels = np.broadcast_to(line[None] if kind == "bars" else line[:, None], (24, 24, 3))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{number:03}.png"
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def test_it_learns_and_predicts_from_files(tmp_path: Path) -> None:
    for number in range(30):
        for kind in CLASSES:
            draw(tmp_path / "own" / kind, kind, number)
    task = build(CLASSES, size=16, width=8)
    examples = load(task, DataSource(path=str(tmp_path / "own")))
    params = initial(task, seed=1)
    spec = TrainingSpec(epochs=25, batch_size=10, learning_rate=0.005, optimizer="adam")
    update = train_locally(task, params, examples, spec, seed=(1, 1, 0)).update_D
    after = Params(params.manifest, params.vector_D + update)
    assert metrics.score("accuracy", evaluate(task, after, examples)) > 0.95
    new = [draw(tmp_path / "new", CLASSES[k % 2], 100 + k) for k in range(6)]
    x = task.prepare(task.inputs(DataSource(path=str(tmp_path / "new"))))
    answers = [answer["prediction"] for answer in predict(task, after, x)]
    assert sum(a == CLASSES[k % 2] for k, a in enumerate(answers)) >= 5
    assert len(task.inputs(DataSource(path=str(new[0])))) == 1


def test_inputs_are_scaled_about_zero() -> None:
    pixels = np.array([0, 255], np.uint8)
    assert build(CLASSES).prepare(pixels).tolist() == [-1, 1]


def test_a_class_that_a_node_lacks_changes_no_number(tmp_path: Path) -> None:
    draw(tmp_path / "rows", "rows", 1)
    examples = load(build(CLASSES, size=8), DataSource(path=str(tmp_path)))
    assert examples.y.tolist() == [1]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"classes": "cat"}, "classes is a list of folder names"),
        ({"classes": ["a"]}, "2 to 1000 different names"),
        ({"classes": ["a", "a"]}, "2 to 1000 different names"),
        ({"classes": ["a", "../b"]}, "'../b' cannot be the name of a folder"),
        ({"classes": ["a", ".b"]}, "cannot be the name of a folder"),
        ({"size": 4}, "expected 8 to 512 pixels"),
        ({"size": "32"}, "size is '32'"),
        ({"channels": 4}, "channels is 4"),
        ({"width": 0}, "width is 0"),
    ],
)
def test_options_are_checked(options: dict, says: str) -> None:
    with pytest.raises(PluginError, match=says):
        plugins.build("tasks", "image_folder", **({"classes": CLASSES} | options))


def test_a_folder_of_nothing_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no images"):
        load(build(CLASSES), DataSource(path=str(tmp_path)))
