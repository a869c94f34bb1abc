"""Attack drills: the federation of a plan file run under each attack, beside itself without one.

Each run is what `fedtui-simulate run` makes of the plan with another [[population.malice]], in a
folder that is gone afterwards. Equal seeds: the same nodes are bad under every attack, and what
differs is the attack alone.
"""

from __future__ import annotations

import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.table import Table

from fedtui import plugins, tomlfile
from fedtui.attacks.backdoor import Backdoor
from fedtui.experiments import journal, planfile, running, tomltext, trigger
from fedtui.experiments.engines import EngineChoice
from fedtui.experiments.planfile import MAKER
from fedtui.learning.metrics import higher_is_better
from fedtui.rounds.suspicion import suspects
from fedtui.simulation.federation import SimulatedFederation
from fedtui.simulation.population import traits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from fedtui.experiments.folder import RunInfo
    from fedtui.experiments.planfile import PlanFile
    from fedtui.rounds.suspicion import GroupSeen
    from fedtui.simulation.report import RoundReport

LAST = 3
"""So many rounds' scores are averaged: a single one hangs on who was just chosen."""
PLAIN_MEAN = "mean"
BACKDOOR = "backdoor"


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What a drill was asked for: which attacks, which part of the nodes, how many rounds.

    With `beside_mean` every run is done once more with the plain mean and no gate.
    """

    plan: Path
    attacks: tuple[str, ...] = ()
    bad: float = 0.1
    rounds: int | None = None
    beside_mean: bool = False
    task_file: Path | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one run. `attack` "" is none.

    `score` is the mean of the last rounds (None: nothing was measured, or the run failed, and then
    `failed` says why); `lost` how much worse that is than without an attack, in the metric's unit.
    `backdoor` is the part of triggered pictures of other classes that the model calls the target.
    `suspects` are how many bad and how many honest nodes became suspect.
    """

    attack: str
    defence: str
    score: float | None = None
    lost: float | None = None
    backdoor: float | None = None
    rolled_back: int = 0
    suspects: tuple[int, int] = (0, 0)
    failed: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A whole drill."""

    name: str
    metric: str
    num_nodes: int
    num_bad: int
    outcomes: tuple[Outcome, ...]


def known() -> tuple[str, ...]:
    """The attacks that there are."""
    return tuple(plugins.names("attacks"))


def drill(wishes: Wishes, say: Callable[[str], None]) -> Report:
    """Run it; `say` is told what begins.

    Raises:
        ConfigError: the plan does not hold together, with or without an attack.
        OperatorError: a run cannot be done at all.
    """
    document = tomllib.loads(tomlfile.read_text(wishes.plan, cure=MAKER))
    tomlfile.parse(tomltext.emit(document), planfile.SimulatedPlan, path=wishes.plan)
    defences = [_defence(document)] + ([PLAIN_MEAN] if wishes.beside_mean else [])
    outcomes: list[Outcome] = []
    file = planfile.parse(_text(document, wishes, "", mean=False), path=wishes.plan)
    for defence in dict.fromkeys(defences):
        for attack in ("", *wishes.attacks):
            say(f"{defence}: {attack or 'no attack'} ...")
            text = _text(document, wishes, attack, mean=defence != defences[0])
            file = planfile.parse(text, path=wishes.plan)
            outcomes.append(_run(file, wishes, attack, defence))
    clean = {one.defence: one for one in outcomes if not one.attack}
    metric, nodes = file.plan.task.metric, file.population.nodes
    return Report(
        name=file.plan.federation.name,
        metric=metric,
        num_nodes=nodes,
        num_bad=round(wishes.bad * nodes),
        outcomes=tuple(_against(one, clean[one.defence], metric) for one in outcomes),
    )


def _defence(document: dict[str, object]) -> str:
    """What the plan sets against bad nodes, in a few words."""
    chosen, training, privacy, gate = (
        part if isinstance(part := document.get(name), dict) else {}
        for name in ("aggregator", "training", "privacy", "gate")
    )
    said = [str(chosen.get("name", PLAIN_MEAN))]
    said += [f"groups of {privacy['group']}"] if "group" in privacy else []
    said += ["mixing"] if "mix" in chosen else []
    said += ["clip"] if "update_clip" in training else []
    said += ["gate"] if "tolerance" in gate else []
    return ", ".join(said)


def _text(document: dict[str, object], wishes: Wishes, attack: str, *, mean: bool) -> str:
    """The plan with this attack and no other."""
    changed = dict(document)
    population = dict(_table(document, "population"))
    population.pop("malice", None)
    if attack:
        population["malice"] = [{"attack": attack, "fraction": wishes.bad}]
    changed["population"] = population
    if wishes.rounds is not None:
        changed["rounds"] = _table(document, "rounds") | {"maximum": wishes.rounds}
    if mean:
        changed.pop("gate", None)
        changed["aggregator"] = {"name": PLAIN_MEAN}
        training = dict(_table(document, "training"))
        training.pop("update_clip", None)
        changed["training"] = training
    return tomltext.emit(changed)


def _table(document: dict[str, object], name: str) -> dict[str, object]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _run(file: PlanFile, wishes: Wishes, attack: str, defence: str) -> Outcome:
    heard = _Heard()
    with tempfile.TemporaryDirectory(prefix="fedtui-drill-") as folder:
        out = Path(folder) / "run"
        plan = Path(folder) / wishes.plan.name
        plan.write_text(file.text, encoding="utf-8")
        own = wishes.plan.parent / "plugins"
        if own.is_dir():
            (Path(folder) / "plugins").symlink_to(own.resolve(), target_is_directory=True)
        info = running.run(
            running.Wishes(plan=plan, out=out, engine=EngineChoice(), task_file=wishes.task_file),
            heard,
        )
        if info.state == "stopped":
            raise KeyboardInterrupt
        failed = "" if info.state == "finished" else info.reason
        groups = _groups(out / "journal.msgpack")
        model, backdoor = out / "model.safetensors", None
        if attack in ("", BACKDOOR) and BACKDOOR in wishes.attacks and model.exists():
            backdoor = trigger.success(file, Backdoor(), model.read_bytes(), wishes.task_file)
    scores = [one.score for one in heard.rounds if one.score is not None and not one.rolled_back]
    return Outcome(
        attack=attack,
        defence=defence,
        score=sum(scores[-LAST:]) / len(scores[-LAST:]) if scores else None,
        backdoor=backdoor,
        rolled_back=sum(bool(one.rolled_back) for one in heard.rounds),
        suspects=_suspected(file, groups),
        failed=failed,
    )


def _groups(path: Path) -> list[Sequence[GroupSeen]]:
    """What was seen of the groups of each attempt, in order."""
    return [
        entry.groups
        for entry in journal.entries(path)
        if isinstance(entry, journal.ModelMade | journal.SumFailed) and entry.groups
    ]


def _suspected(file: PlanFile, groups: list[Sequence[GroupSeen]]) -> tuple[int, int]:
    bad = {
        SimulatedFederation.name(f"n{one.index + 1}")
        for one in traits(file.population, file.plan.seed)
        if one.attack
    }
    named = suspects(groups)
    return len(bad & named.keys()), len(named.keys() - bad)


def _against(outcome: Outcome, clean: Outcome, metric: str) -> Outcome:
    if outcome.score is None or clean.score is None:
        return outcome
    worse = clean.score - outcome.score
    return msgspec.structs.replace(outcome, lost=worse if higher_is_better(metric) else -worse)


def show(report: Report, console: Console) -> None:
    """A table of what got through, for each defence."""
    for defence in dict.fromkeys(one.defence for one in report.outcomes):
        table = Table(
            title=f"{report.num_bad} of {report.num_nodes} nodes attack {report.name}: {defence}",
            title_justify="left",
        )
        table.add_column("attack")
        for name in (report.metric, "lost", "trigger works", "rolled back", "suspects"):
            table.add_column(name, justify="right")
        for one in report.outcomes:
            if one.defence == defence:
                table.add_row(*_cells(one))
        console.print(table, markup=False)
    console.print(
        f"{report.metric} is the mean of the last {LAST} rounds that stood; lost is against the "
        "same defence without an attack; suspects are bad nodes and honest ones that groups made "
        "suspect",
        style="dim",
        markup=False,
    )


def _cells(one: Outcome) -> tuple[str, ...]:
    right, wrong = one.suspects
    return (
        one.attack or "none",
        one.failed or _number(one.score),
        _number(one.lost) if one.attack else "",
        "" if one.backdoor is None else f"{one.backdoor:.0%}",
        str(one.rolled_back or ""),
        f"{right} bad, {wrong} honest" if right or wrong else "",
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


class _Heard:
    """What a run tells, without showing it."""

    def __init__(self) -> None:
        self.rounds: list[RoundReport] = []

    def say(self, text: str) -> None:
        pass

    def begins(self, plan: PlanFile, folder: Path, *, again: int) -> None:
        pass

    def round(self, report: RoundReport) -> None:
        self.rounds.append(report)

    def failed(self, node: int, number: int, reason: str, kept: Path | None) -> None:
        pass

    def ends(self, info: RunInfo, folder: Path) -> None:
        pass
