"""A task from its name or from the operator's own file: built, and looked at part by part.

Someone who writes a first task leaves a part out, or gives it other arguments than the trainer
calls it with. Both are said here in a sentence that names the part, before any data is read; what
the parts return is checked where they are called (task.py, trainer.py).
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from fedtui import plugins
from fedtui.learning.metrics import METRICS
from fedtui.learning.task import FixedUpdate, Task

if TYPE_CHECKING:
    from pathlib import Path

_PARTS = {
    "model": ((), "`def model(self)` that returns a torch.nn.Module"),
    "data": (("source",), "`def data(self, source)` that returns Examples(x, y)"),
    "prepare": (("x",), "`def prepare(self, x)` that returns what the model eats"),
    "loss": (("model", "batch"), "`def loss(self, model, batch)` that returns a scalar tensor"),
    "metrics": (("model", "batch"), "`def metrics(self, model, batch)` that returns sums"),
}
_INHERIT = "inherit from Classification, MultiLabel or Regression of fedtui.learning.objectives"


def load_task(
    name: str,
    options: dict[str, Any],
    *,
    file: Path | None = None,
    sha256: str | None = None,
    metric: str = "",
) -> Task | FixedUpdate:
    """The task `name` of fedtui/tasks, or that of `file` if its hash is `sha256` (None: any).

    It measures the plan's `metric` ("": its own choice). A file runs as code: only call this in
    the trainer process and in simulations.

    Raises:
        PluginError: no such task, options that it does not take, a part that it lacks, or a metric
            that it cannot give.
    """
    if file is not None:
        task, what = plugins.build_file(file, sha256, **options), f"the task file {file}"
    else:
        task, what = plugins.build("tasks", name, **options), f"the task {name!r}"
    check_parts(task, what)
    if not metric or metric == task.metric:
        return task  # type: ignore[no-any-return]  # what `build` gives is anything
    known = (task.metric, *getattr(task, "measures", ()))
    if metric not in known:
        raise plugins.PluginError(
            f"{what} cannot be measured by {metric}; it can by {', '.join(dict.fromkeys(known))}: "
            "say one of them as `metric` under [task] of the plan"
        )
    task.metric = metric
    return task  # type: ignore[no-any-return]


def check_parts(task: object, what: str) -> None:
    """Refuse a task that lacks a part. PluginError says which one and what to write."""
    if task is None:
        raise plugins.PluginError(
            f"`build` of {what} returned None: end it with `build = YourClass`"
        )
    metric = getattr(task, "metric", None)
    if metric not in METRICS:
        said = "has no `metric`" if metric is None else f"has the metric {metric!r}"
        raise plugins.PluginError(
            f"{what} {said}: set `metric` to one of {', '.join(METRICS)}, or {_INHERIT}"
        )
    if isinstance(task, FixedUpdate):
        return
    for name, (arguments, wanted) in _PARTS.items():
        part = getattr(task, name, None)
        if not callable(part) or getattr(part, "__func__", None) is vars(Task)[name]:
            raise plugins.PluginError(f"{what} has no `{name}`: write {wanted}, or {_INHERIT}")
        try:
            inspect.signature(part).bind(*arguments)
        except (TypeError, ValueError) as error:
            raise plugins.PluginError(
                f"`{name}` of {what} cannot be called as it must ({error}): write {wanted}"
            ) from error
