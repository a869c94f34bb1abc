"""From a simulated run to a coordinator of its own: plan and initial model of the run's folder.

What is read is what `fedtui-simulate run` wrote (docs/simulation.md), and it is bounded: the
folder may come from anybody. With the same shards at the nodes, what comes of it is bit for bit
what the simulation gave.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from coordinator.refusals import BadDataError, MissingInputError, os_refusal
from fedtui import tomlfile
from fedtui.wire.labels import safe_label

POPULATION = "population"
LEFT_OUT = (
    "[population] is left out: it describes simulated nodes, and is no part of what nodes consent "
    "to"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FromRun:
    """The text of plan.toml without its population, the initial model's file, and what to know."""

    plan: str
    initial: Path
    notes: tuple[str, ...]


class _Population(msgspec.Struct, frozen=True):
    """The part of [population] that real nodes need."""

    nodes: int = 0
    split: str = "iid"
    seed: int | None = None
    shift: dict[str, object] = {}
    malice: list[object] = []


class _Privacy(msgspec.Struct, frozen=True):
    updates: str = "masked"


class _Task(msgspec.Struct, frozen=True):
    name: str = ""
    sha256: str = ""


class _Planned(msgspec.Struct, frozen=True):
    """The part of plan.toml that notes are about; the plan itself is checked by `init`."""

    population: _Population = _Population()
    privacy: _Privacy = _Privacy()
    task: _Task = _Task()
    seed: int = 1


class _Told(msgspec.Struct, frozen=True):
    """The part of run.json that is needed here."""

    plain: bool = False
    num_threads: Annotated[int, msgspec.Meta(ge=1)] = 1
    command: list[str] = []


def read(run: Path) -> FromRun:
    """What a coordinator needs of the run in this folder.

    Raises:
        MissingInputError: there is no run, or it has no initial model.
        BadDataError: run.json is not what a run wrote.
        ConfigError: the plan is not TOML, or its population cannot be left out.
    """
    told = _told(run)
    path, initial = run / "plan.toml", run / "initial.safetensors"
    text = tomlfile.read_text(path, cure="'fedtui-simulate run' writes one")
    if not initial.is_file():
        raise MissingInputError(
            f"{initial}: there is no initial model: the run has not begun; run it, then try again"
        )
    planned = tomlfile.parse(text, _Planned, path=path) if POPULATION in text else _Planned()
    return FromRun(
        plan=without_population(text, path=path),
        initial=initial,
        notes=tuple(_notes(planned, told)),
    )


def without_population(text: str, *, path: Path) -> str:
    """A plan file as a coordinator serves it. Raises ConfigError."""
    return tomlfile.without(text, POPULATION, path=path)


def _told(run: Path) -> _Told:
    path = run / "run.json"
    try:
        with path.open("rb") as file:
            data = file.read(tomlfile.MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingInputError(
            f"{run}: holds no run; 'fedtui-simulate run plan.toml --out {run}' makes one"
        ) from error
    except OSError as error:
        raise os_refusal(error) from error
    if len(data) > tomlfile.MAX_BYTES:
        raise BadDataError(f"{path}: has more than {tomlfile.MAX_BYTES} bytes: no run wrote this")
    try:
        return msgspec.json.decode(data, type=_Told)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadDataError(f"{path}: is not what a run wrote ({error})") from error


def _notes(planned: _Planned, told: _Told) -> list[str]:
    people, notes = planned.population, [LEFT_OUT]
    if told.plain and planned.privacy.updates == "masked":
        notes.append(
            "the run was simulated with --plain; here updates are masked, as the plan says: with "
            "masks the model differs in its last digits"
        )
    if planned.task.sha256:
        given = _task_file(told.command)
        where = f" (the run had --task-file {given})" if given else ""
        notes.append(
            f"the plan pins a task file of your own, SHA-256 {planned.task.sha256[:16]}..."
            f"{where}: every node needs that file: fedtui task add FILE"
        )
    seed = planned.seed if people.seed is None else people.seed
    notes.append(
        f"node i of the run had the data that 'fedtui join --split {safe_label(people.split)} "
        f"--shard i/{people.nodes} --split-seed {seed}' gives, i from 0 on"
    )
    if told.num_threads != 1:
        notes.append(
            f"the run trained with {told.num_threads} threads: other numbers give other last "
            f"digits; at nodes: [limits] threads = {told.num_threads}"
        )
    if people.shift or people.malice:
        notes.append("shifted data and attackers were simulated: no real node has them from here")
    return notes


def _task_file(command: list[str]) -> str:
    """What followed --task-file, made harmless."""
    for word, following in zip(command, [*command[1:], ""], strict=True):
        if word == "--task-file":
            return safe_label(following, 200)
        if word.startswith("--task-file="):
            return safe_label(word.partition("=")[2], 200)
    return ""
