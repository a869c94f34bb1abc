"""Leakage drills as `fedtui-simulate leak` asks for them: a plan file read, a report shown."""

from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from fedtui import plugins, tomlfile
from fedtui.experiments.planfile import MAKER
from fedtui.leakage.drill import SUCCESS, Figure, Report
from fedtui.leakage.seized import MEANING, Item
from fedtui.rounds import plan as plans
from fedtui.rounds.plan import Plan
from fedtui.simulation.population import Population
from fedtui.tomlfile import ConfigError


class AnyPlan(Plan, frozen=True, kw_only=True):
    """A plan.toml of a coordinator, or one with a population, which does not matter here."""

    population: Population | None = None


class Leaks(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that one command found."""

    drill: Report | None = None
    seized: tuple[Item, ...] | None = None


def read_plan(path: Path) -> Plan:
    """Read a plan file, of a coordinator or of a simulation.

    Raises:
        ConfigError: all that is wrong, a line each.
    """
    text = tomlfile.read_text(path, cure=MAKER)
    both = tomlfile.parse(text, AnyPlan, path=path)
    plugins.use_own(path.parent / "plugins")
    plan = Plan(**{name: getattr(both, name) for name in Plan.__struct_fields__})
    if conflicts := plans.check(plan):
        raise ConfigError("\n".join(f"{path}: {sentence}" for sentence in conflicts))
    return plan


def proves_something(report: Report) -> bool:
    """Whether the attack works where nothing stands against it; else the drill proves nothing."""
    plain = [one for one in report.ssim if one.view.nodes == 1 and one.view.epsilon is None]
    return not plain or max(one.mean for one in plain) > SUCCESS


def show(report: Report, console: Console) -> None:
    """A table of what each view gives away."""
    table = Table(
        title=f"{report.task}: mean of {report.repetitions} repetitions, 95 % interval",
        title_justify="left",
        caption=f"Pictures: SSIM, above {SUCCESS:g} and above the guess one came back. Members: "
        "AUROC, 0.5 is a coin. A sum hides an example among all of its nodes' examples.",
        caption_justify="left",
    )
    for name in (
        "seen",
        f"pictures of {report.examples}",
        "guess",
        f"members of {report.members}",
    ):
        table.add_column(name)
    for view in dict.fromkeys(one.view for one in report.auroc):
        told = max((o for o in report.auroc if o.view == view), key=lambda one: one.mean)
        best, guess = report.best(view), report.guess.get(view.nodes)
        table.add_row(
            str(view),
            "-" if best is None else _said(best),
            "-" if guess is None else f"{guess:.2f}",
            _said(told),
        )
    console.print(table)


def show_seized(items: tuple[Item, ...], console: Console) -> None:
    """A table of files and tables, and what each tells."""
    table = Table(title="On the coordinator's disk", title_justify="left")
    for name in ("file or table", "bytes", "what it is", "what it tells"):
        table.add_column(name, justify="right" if name == "bytes" else "left", overflow="fold")
    for item in items:
        table.add_row(item.path, f"{item.num_bytes:,}", item.what, MEANING[item.tells])
    console.print(table, markup=False)


def _said(figure: Figure) -> str:
    return f"{figure.mean:.2f} ({figure.low:.2f} to {figure.high:.2f}), {figure.attack}"
