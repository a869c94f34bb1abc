"""manifest.json: the layout of the federation's model, and the task that the model was made for.

plan.toml may be edited after `init`: its nodes are asked again then. But another task, or other
options of it, would need another model than the one that lies here, as would a strategy that has
other vectors travel with it, so that is refused at start.
"""

import msgspec

from coordinator.layout import Layout
from coordinator.refusals import BadDataError, os_refusal
from fedtui.learning.params import Manifest, ParamsError
from fedtui.rounds import compression, strategic
from fedtui.rounds.plan import Options, Plan, TaskSection
from fedtui.tomlfile import ConfigError


class _MadeFor(msgspec.Struct, frozen=True, kw_only=True):
    """Empty in a file that does not say it: then nothing is compared."""

    task: str = ""
    options: Options = {}
    carried: tuple[str, ...] = ()


class _More(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds beside the manifest's own fields."""

    made_for: _MadeFor = _MadeFor()


def write(layout: Layout, manifest: Manifest, plan: Plan) -> None:
    """Keep both. Raises OSError, and ConfigError for a strategy that does not fit the model."""
    _check_strategy(layout, manifest, plan)
    fields = msgspec.to_builtins(manifest)
    task = plan.task
    fields["made_for"] = {"task": task.name, "options": task.options}
    if carried := strategic.carried(plan):
        fields["made_for"]["carried"] = carried
    layout.manifest.write_bytes(msgspec.json.format(msgspec.json.encode(fields)))


def read(layout: Layout, plan: Plan) -> Manifest:
    """The manifest, if it belongs to the plan's task.

    Raises:
        BadDataError: the file is damaged.
        ConfigError: the plan's task is not the one that the model was made for, or its strategy
            does not fit the model.
        MissingInputError, DiskError: it cannot be read.
    """
    try:
        data = layout.manifest.read_bytes()
        manifest = msgspec.json.decode(data, type=Manifest)
        made_for = msgspec.json.decode(data, type=_More).made_for
    except OSError as error:
        raise os_refusal(error) from error
    except (msgspec.DecodeError, ParamsError) as error:
        raise BadDataError(f"{layout.manifest} is damaged: restore it from a backup") from error
    changed = _changed(plan.task, made_for)
    if made_for.task and changed:
        raise ConfigError(
            f"{layout.plan}: [task] {changed} changed, but the model here was made for what it "
            "was: put it back, or make another coordinator with 'fedtui-coordinator init'"
        )
    if strategic.carried(plan) != made_for.carried:
        raise ConfigError(
            f"{layout.plan}: [strategy] name changed to {plan.strategy.name!r}, and other vectors "
            "would travel with the model than those that it was made with: put it back, or make "
            "another coordinator with 'fedtui-coordinator init --initial'"
        )
    _check_strategy(layout, manifest, plan)
    return manifest


def _check_strategy(layout: Layout, manifest: Manifest, plan: Plan) -> None:
    if why := compression.misfit_of(plan, manifest):
        raise ConfigError(f"{layout.plan}: {why}")


def _changed(task: TaskSection, made_for: _MadeFor) -> str:
    """Which key of [task] is another now; "" if none is."""
    if task.name != made_for.task:
        return "name"
    before, now = made_for.options, task.options
    keys = sorted(k for k in before.keys() | now.keys() if before.get(k) != now.get(k))
    return f"options.{keys[0]}" if keys else ""
