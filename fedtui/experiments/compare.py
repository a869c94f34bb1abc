"""Several runs beside each other: what each came to, and how much that varies with the seed.

Runs of the same plan that differ by their seed only are one group: its figures are means over its
runs, each with the smallest, the largest and the standard deviation (over n - 1, 0 for one run).
A group is named by what its plan says otherwise than those of the other groups.
"""

import math
import statistics
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from fedtui.errors import ExitCode, OperatorError
from fedtui.experiments import journal, tables
from fedtui.experiments.disk import DamagedError
from fedtui.experiments.folder import RunFolder, RunInfo
from fedtui.learning.metrics import METRICS, higher_is_better, reached
from fedtui.simulation.report import RoundReport
from fedtui.wire.labels import safe_label

LABEL_CELLS = 60
_Flat = dict[str, object]


class CompareError(OperatorError):
    """These runs cannot be compared."""

    exit_code = ExitCode.BAD_DATA


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run as it lies on disk; `plan` maps "training.learning_rate" to its value."""

    name: str
    path: Path
    info: RunInfo
    plan: dict[str, object]
    rounds: list[RoundReport]


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """The first round whose score was at least as good as the target, and the cost up to then."""

    round: int
    virtual_s: float
    num_bytes: int


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to. `target` is None if it was not reached, or there is none."""

    name: str
    seed: int
    state: str
    num_rounds: int
    final: float | None
    best: float | None
    virtual_s: float
    bytes_up: int
    bytes_down: int
    wall_s: float
    target: Reached | None


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Of one figure over the runs of a group."""

    mean: float
    least: float
    most: float
    deviation: float


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Runs that differ by their seed only. `num_reached` of them reached the target."""

    label: str
    seeds: list[int]
    runs: list[Figures]
    spreads: dict[str, Spread]
    num_reached: int


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """All groups, in the order in which their first runs were named."""

    metric: str
    target: float | None
    groups: list[Group]


FIGURES = ("num_rounds", "final", "best", "virtual_s", "bytes_up", "bytes_down", "wall_s")
TO_TARGET = ("round", "virtual_s", "num_bytes")


def load(path: Path) -> Run:
    """A run, also one that is not finished: then what it has so far.

    Raises:
        RunFolderError, DamagedError: there is no run, or it is damaged.
        NoParquetError: pyarrow is missing.
    """
    folder = RunFolder.open(path)
    try:
        plan = flat(tomllib.loads(folder.plan_text()))
    except tomllib.TOMLDecodeError as error:
        raise DamagedError(f"{folder.plan}: this is not TOML: {error}") from error
    name = safe_label(path.resolve().name, LABEL_CELLS) or "run"
    return Run(name=name, path=path, info=folder.info, plan=plan, rounds=_rounds(folder))


def compare(runs: Sequence[Run], target: float | None = None) -> Comparison:
    """Group them and work out every figure. Pure. `target` None: that of the plans, if they agree.

    Raises:
        CompareError: they measure different things.
    """
    metric = _metric(runs)
    if target is None:
        targets = {run.plan.get("rounds.target") for run in runs}
        only = targets.pop() if len(targets) == 1 else None
        target = float(only) if isinstance(only, int | float) else None
    groups = grouped(runs)
    return Comparison(
        metric=metric,
        target=target,
        groups=[
            _group(label, [figures(run, target) for run in of_group])
            for label, of_group in groups.items()
        ],
    )


def figures(run: Run, target: float | None) -> Figures:
    """What a run came to."""
    scored = [(one, one.score) for one in run.rounds if _is_number(one.score)]
    scores = [score for _, score in scored if score is not None]
    metric = run.rounds[0].metric if run.rounds else "accuracy"
    best_of = max if metric not in METRICS or higher_is_better(metric) else min
    first = None
    if target is not None and metric in METRICS:
        first = next(
            (one for one, s in scored if s is not None and reached(metric, s, target)), None
        )
    return Figures(
        name=run.name,
        seed=run.info.seed,
        state=run.info.state,
        num_rounds=len(run.rounds),
        final=scores[-1] if scores else None,
        best=best_of(scores) if scores else None,
        virtual_s=run.rounds[-1].ended_s if run.rounds else 0.0,
        bytes_up=sum(one.bytes_up for one in run.rounds),
        bytes_down=sum(one.bytes_down for one in run.rounds),
        wall_s=sum(one.wall_s for one in run.rounds),
        target=None if first is None else _cost(run.rounds, first),
    )


def grouped(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs by the label of their group, in the order in which they were named.

    The same run twice (same plan and seed) says nothing of the spread: each is a group.
    """
    keys: dict[tuple[object, ...], list[Run]] = {}
    for run in runs:
        plan = tuple(sorted((key, repr(value)) for key, value in _unseeded(run.plan).items()))
        number = 0
        while any(
            one.info.seed == run.info.seed for one in keys.get((plan, _how(run), number), [])
        ):
            number += 1
        keys.setdefault((plan, _how(run), number), []).append(run)
    found = list(keys.values())
    return dict(zip(_labels(found), found, strict=True))


def flat(plan: Mapping[str, object], prefix: str = "") -> _Flat:
    """{"training": {"learning_rate": 1}} as {"training.learning_rate": 1}."""
    found: _Flat = {}
    for key, value in plan.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


def spread(values: Sequence[float]) -> Spread:
    """Mean, extremes and standard deviation of at least one number."""
    return Spread(
        mean=statistics.fmean(values),
        least=min(values),
        most=max(values),
        deviation=statistics.stdev(values) if len(values) > 1 else 0.0,
    )


def _rounds(folder: RunFolder) -> list[RoundReport]:
    """The table of a finished run, else the journal, which is never behind it."""
    has_table = folder.rounds.is_file()
    if has_table and (folder.info.state == "finished" or not folder.journal.is_file()):
        return tables.read(folder.rounds, RoundReport)
    if folder.journal.is_file():
        return [one.report for one in journal.closed_rounds(folder.journal)]
    return []


def _group(label: str, runs: list[Figures]) -> Group:
    spreads = {}
    for name in FIGURES:
        values = [getattr(run, name) for run in runs]
        known = [value for value in values if value is not None]
        if known:
            spreads[name] = spread(known)
    there = [run.target for run in runs if run.target is not None]
    for name in TO_TARGET if there else ():
        spreads[f"target_{name}"] = spread([getattr(one, name) for one in there])
    return Group(
        label=label,
        seeds=[run.seed for run in runs],
        runs=runs,
        spreads=spreads,
        num_reached=len(there),
    )


def _cost(rounds: Sequence[RoundReport], last: RoundReport) -> Reached:
    until = [one for one in rounds if one.round <= last.round]
    num_bytes = sum(one.bytes_up + one.bytes_down for one in until)
    return Reached(round=last.round, virtual_s=last.ended_s, num_bytes=num_bytes)


def _metric(runs: Sequence[Run]) -> str:
    found: dict[str, str] = {}
    for run in runs:
        if run.rounds:
            found.setdefault(run.rounds[0].metric, run.name)
    if len(found) > 1:
        listed = " and ".join(f"{metric} ({name})" for metric, name in found.items())
        raise CompareError(f"these runs measure different things, {listed}: compare them apart")
    return next(iter(found), "accuracy")


def _is_number(score: float | None) -> bool:
    return score is not None and math.isfinite(score)


def _unseeded(plan: _Flat) -> _Flat:
    return {key: value for key, value in plan.items() if key != "seed"}


def _how(run: Run) -> str:
    return "plain" if run.info.plain else ""


def _labels(groups: Sequence[Sequence[Run]]) -> list[str]:
    """What tells each group from the others; the folder's name where nothing does."""
    plans = [_unseeded(group[0].plan) for group in groups]
    if len(groups) == 1 and len(groups[0]) > 1:
        name = safe_label(str(plans[0].get("federation.name", "")), LABEL_CELLS)
        return [name or groups[0][0].name]
    keys = list(dict.fromkeys(key for plan in plans for key in plan))
    differing = [key for key in keys if len({repr(plan.get(key)) for plan in plans}) > 1]
    differing = [key for key in differing if key != "federation.name"]
    found = []
    for group, plan in zip(groups, plans, strict=True):
        words = [
            f"{short_key(key, differing)}={_shown(plan[key])}" for key in differing if key in plan
        ]
        if len({_how(one[0]) for one in groups}) > 1 and _how(group[0]):
            words.append(_how(group[0]))
        found.append(safe_label(" ".join(words), LABEL_CELLS) or group[0].name)
    return _distinct(found, [group[0].name for group in groups])


def short_key(key: str, differing: Sequence[str]) -> str:
    """The last part of a key, or the last two where that is not enough."""
    parts = key.split(".")
    if parts[-1] == "name" and len(parts) > 1:
        return parts[-2]
    same = [other for other in differing if other.split(".")[-1] == parts[-1]]
    return parts[-1] if len(same) == 1 else ".".join(parts[-2:])


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _distinct(labels: Sequence[str], names: Sequence[str]) -> list[str]:
    found: list[str] = []
    for label, name in zip(labels, names, strict=True):
        if labels.count(label) > 1 and name != label:
            label = f"{label} ({name})"  # noqa: PLW2901  the label of the loop, made distinct
        number, base = 2, label
        while label in found:
            label, number = f"{base} {number}", number + 1  # noqa: PLW2901  as above
        found.append(label)
    return found
