"""How often a backdoor's trigger works in a model: what accuracy does not show.

The figure of Bagdasaryan et al. (2020, arXiv:1807.00459): of the test pictures of other classes,
with the patch on them, the part that the model calls the target.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fedtui.learning.data import DataError, DataSource, Examples
from fedtui.learning.loading import load_task
from fedtui.learning.params import Params
from fedtui.learning.task import FixedUpdate, prepared, read

if TYPE_CHECKING:
    from pathlib import Path

    from fedtui.attacks.backdoor import Backdoor
    from fedtui.experiments.planfile import PlanFile


def success(
    file: PlanFile, attack: Backdoor, model: bytes, task_file: Path | None = None
) -> float | None:
    """In [0, 1], of a model as safetensors; None where there are no classes, or no pictures.

    Raises:
        DataError: the test part cannot be read.
        PluginError: the task cannot be loaded, or breaks its rules.
        ParamsError: the model is not of this task.
    """
    from fedtui.learning.trainer import evaluate  # noqa: PLC0415 - brings torch along

    section = file.plan.task
    task = load_task(section.name, section.options, file=task_file, sha256=section.sha256 or None)
    if isinstance(task, FixedUpdate) or "accuracy" not in getattr(task, "measures", ()):
        return None
    task.metric = "accuracy"
    test = prepared(task, read(task, DataSource(path=file.population.data, part="test")))
    other = test.y != attack.target
    if test.y.ndim != 1 or not other.any():
        return None
    try:
        x = attack.triggered(test.x[other], test.x.max())
    except DataError:  # no pictures, or too small
        return None
    wanted = np.full(len(x), attack.target, test.y.dtype)
    sums = evaluate(task, Params.from_safetensors(model), Examples(x, wanted))
    return sums["correct"] / sums["examples"]
