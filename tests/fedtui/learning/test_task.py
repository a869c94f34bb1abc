import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fedtui import plugins
from fedtui.learning.data import DataError, DataSource, Examples
from fedtui.learning.objectives import Classification
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.learning.task import FixedUpdate, describe, load, own, prepared

X, Y = np.zeros((3, 4), np.float32), np.array([0, 1, 0])

OWN_TASK = '''"""Tell two kinds of seeds apart by weight and length."""

import numpy as np
from torch import nn

from fedtui.learning.data import Examples, own_path
from fedtui.learning.objectives import Classification


class Seeds(Classification):
    labels = ("rye", "oat")

    def model(self):
        return nn.Linear(2, 2)

    def data(self, source):
        rows = np.loadtxt(own_path(source), delimiter=",")
        return Examples(rows[:, :2], rows[:, 2].astype(np.int64))


build = Seeds
'''


def test_an_own_task_takes_a_file_of_thirty_lines(tmp_path: Path) -> None:
    assert OWN_TASK.count("\n") <= 30
    (tmp_path / "seeds.py").write_text(OWN_TASK)
    (tmp_path / "seeds.csv").write_text("1,2,0\n3,4,1\n5,6,1\n")
    task = plugins.build_file(tmp_path / "seeds.py", None)
    examples = load(task, DataSource(path=str(tmp_path / "seeds.csv"), shard=1, num_shards=2))
    assert len(examples) in (1, 2)
    assert examples.x.dtype == np.float32
    assert task.metric == "accuracy"


def test_a_share_without_examples_is_refused() -> None:
    class Empty:
        def data(self, source: DataSource) -> Examples:
            return Examples(np.zeros((0, 2)), np.zeros(0))

    with pytest.raises(DataError, match="holds no examples: this node cannot train"):
        load(Empty(), DataSource())  # type: ignore[arg-type]  # load stops before it needs more


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (lambda: None, "`data` of the task returned NoneType, expected Examples"),
        (lambda: (X, Y), "`data` of the task returned tuple, expected Examples"),
        (lambda: Examples(X.tolist(), Y), "returned inputs x as list, expected a NumPy array"),
        (lambda: Examples(X, Y.tolist()), "returned targets y as list, expected a NumPy array"),
        (lambda: Examples(X, Y[:2]), "3 inputs but 2 targets"),
        (lambda: Examples(X, Y - 1), "example 0 .* has the class -1, expected 0 to 1"),
        (lambda: Examples(X, Y + 1), "example 1 .* has the class 2, .* 1 of 3 examples are wrong"),
        (lambda: Examples(X, Y + 0.5), "the targets are float64 .* classes are whole numbers"),
        (lambda: Examples(X, Y[:, None]), r"the targets are int64 of shape \(3, 1\)"),
    ],
)
def test_what_data_returns_is_looked_at(data, says: str) -> None:
    class Mine(Classification):
        labels = ("no", "yes")

        def data(self, source):
            return data()

    with pytest.raises(DataError, match=says):
        own(Mine(), DataSource())


@pytest.mark.parametrize("prepared_x", [None, [1, 2], X[:2], X.astype(np.float64)])
def test_what_prepare_returns_is_looked_at(prepared_x) -> None:
    class Mine(Classification):
        def prepare(self, x):
            return prepared_x

    with pytest.raises(DataError, match=r"`prepare` of the task returned .* expected a float32"):
        prepared(Mine(), Examples(X, Y))


def test_what_leaves_is_said_in_numbers() -> None:
    manifest = Manifest((TensorSpec("w", (784, 200)), TensorSpec("b", (10,))))
    said = describe(manifest, "accuracy")
    assert "156,810 numbers (0.63 MB) in 2 tensors" in said
    assert said.endswith("3 sums: loss_sum, correct, examples")


def test_a_task_that_trains_nothing_is_recognised_and_needs_no_torch() -> None:
    path = Path(__file__).parents[3] / "benchmarks" / "null_task.py"
    code = (
        "import sys; from pathlib import Path; from fedtui import plugins; "
        f"task = plugins.build_file(Path({str(path)!r}), None, dim=1000); "
        "print(len(task.fixed_update(task.manifest(), 1)), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1000", "False"]
    task = plugins.build_file(path, None, dim=10)
    assert isinstance(task, FixedUpdate)
    assert not isinstance(plugins.build("tasks", "digits"), FixedUpdate)
    one, other = task.fixed_update(task.manifest(), 1), task.fixed_update(task.manifest(), 2)
    assert task.fixed_update(task.manifest(), 1).tobytes() == one.tobytes() != other.tobytes()
