"""A backdoor's success, of models made by hand."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from fedtui.attacks.backdoor import Backdoor
from fedtui.experiments import planfile, trigger
from fedtui.learning.loading import load_task
from fedtui.learning.params import Params
from fedtui.learning.trainer import initial

PLAN = """\
[federation]
name = "f"
[task]
name = "digits"
[population]
nodes = 4
"""

HOUSES = """\
from torch import nn

from fedtui.learning.objectives import Regression


class Houses(Regression):
    def model(self):
        return nn.Linear(2, 1)

    def data(self, source):
        raise AssertionError("nobody reads it")


build = Houses
"""


def biased(towards: int) -> bytes:
    """A model that calls everything one class."""
    params = initial(load_task("digits", {}), seed=1)
    values_D = np.zeros(params.manifest.num_values, np.float32)
    made = Params(params.manifest, values_D)
    *_, bias = (name for name, _ in made.items() if name.endswith("bias"))
    made[bias][towards] = 1.0
    return made.to_safetensors()


@pytest.mark.parametrize(("towards", "works"), [(3, 1.0), (4, 0.0)])
def test_it_counts_pictures_of_other_classes_that_become_the_target(
    towards: int, works: float
) -> None:
    file = planfile.parse(PLAN, path=Path("plan.toml"))
    assert trigger.success(file, Backdoor(target=3), biased(towards)) == works


def test_without_pictures_that_take_the_patch_there_is_no_figure() -> None:
    file = planfile.parse(PLAN, path=Path("plan.toml"))
    assert trigger.success(file, Backdoor(target=3, size=20), biased(3)) is None


def test_without_classes_there_is_no_figure(tmp_path: Path) -> None:
    own = tmp_path / "houses.py"
    own.write_text(HOUSES)
    digest = hashlib.sha256(own.read_bytes()).hexdigest()
    text = PLAN.replace('"digits"', f'"houses"\nsha256 = "{digest}"\nmetric = "rmse"')
    file = planfile.parse(text, path=Path("plan.toml"))
    assert trigger.success(file, Backdoor(), b"", own) is None
