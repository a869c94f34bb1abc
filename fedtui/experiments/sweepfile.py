"""sweep.toml: one plan, seeds, and a grid over the plan's keys; and the runs it stands for.

    plan = "plan.toml"                     # beside this file
    seeds = [1, 2, 3]
    jobs = 2                               # so many at a time
    [grid]
    "training.learning_rate" = [0.01, 0.1]
    "population.split" = ["iid", "dirichlet:0.3"]

Each combination of values and each seed is a run, named by its values. All that is wrong is said
at once, before anything runs.
"""

import difflib
import itertools
import re
import tomllib
import typing
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

import msgspec

from fedtui import tomlfile
from fedtui.experiments import tomltext
from fedtui.experiments.compare import flat, short_key
from fedtui.experiments.planfile import SimulatedPlan
from fedtui.rounds import plan as plans
from fedtui.rounds.plan import Plan
from fedtui.simulation import population as populations
from fedtui.tomlfile import ConfigError

MAX_CELLS = 10_000
MAX_NAME = 100
_UNSAFE = re.compile(r"[^A-Za-z0-9._=,+-]+")
_PATH = re.compile(r" - at `.*`$")  # of msgspec's sentences
Seed = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class SweepFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file as it is written; files that it names lie beside it, or have a path in full.

    `plain`, `initial` and `task_file` are those of `fedtui-simulate run`, for every run.
    """

    plan: Annotated[str, msgspec.Meta(min_length=1)] = "plan.toml"
    initial: str = ""
    task_file: str = ""
    seeds: Annotated[tuple[Seed, ...], msgspec.Meta(min_length=1, max_length=1000)] = (1,)
    jobs: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1
    plain: bool = False
    grid: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a sweep: the name of its folder, and its plan."""

    name: str
    plan_text: str


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is to be run."""

    cells: list[Cell]
    jobs: int
    plain: bool = False
    options: tuple[str, ...] = ()  # of every run, besides --plain


def read(path: Path) -> Sweep:
    """Every run that the file stands for.

    Raises:
        ConfigError: either file is missing or wrong, a key that no plan has, a value that does
            not fit, or runs whose plan does not fit together: all of it at once.
    """
    file = tomlfile.read(path, SweepFile)
    text = path.read_text(encoding="utf-8")
    base_path = path.parent / file.plan
    base_text = tomlfile.read_text(base_path, cure=f"{path} names it as 'plan'")
    tomlfile.parse(base_text, SimulatedPlan, path=base_path)
    base = tomllib.loads(base_text)
    grid = flat(file.grid)
    problems = [*_repeated(file, text, path), *_grid_problems(grid, text, path)]
    if problems:
        raise ConfigError("\n".join(problems))
    lists = {key: values for key, values in grid.items() if isinstance(values, list)}
    num = len(file.seeds)
    for values in lists.values():
        num *= len(values)
    if num > MAX_CELLS:
        raise ConfigError(f"{path}: stands for {num} runs, and {MAX_CELLS} is the most")
    found, problems = _cells(base, lists, file.seeds)
    if problems:
        raise ConfigError("\n".join(f"{base_path}: {sentence}" for sentence in problems))
    return Sweep(found, file.jobs, file.plain, tuple(_options(file, path)))


def _options(file: SweepFile, path: Path) -> Iterator[str]:
    for option, name in (("--initial", file.initial), ("--task-file", file.task_file)):
        if name:
            yield from (option, str(path.parent / name))


def conflicts(document: Mapping[str, object]) -> list[str]:
    """What does not fit together in a plan and its population, sentence by sentence."""
    try:
        both = msgspec.convert(document, SimulatedPlan)
    except msgspec.ValidationError as error:
        return [str(error)]
    return [*plans.check(both), *populations.check(both.population, both)]


def _cells(
    base: Mapping[str, object], lists: Mapping[str, list[Any]], seeds: Sequence[int]
) -> tuple[list[Cell], list[str]]:
    """Runs, those of a combination beside each other; and what is wrong with them, once each."""
    cells: list[Cell] = []
    problems: dict[str, str] = {}
    taken: set[str] = set()
    for values in itertools.product(*lists.values()):
        chosen = dict(zip(lists, values, strict=True))
        document = deepcopy(dict(base))
        for key, value in chosen.items():
            _put(document, key.split("."), value)
        for sentence in conflicts(document):
            problems.setdefault(sentence, _words(chosen))
        for seed in seeds:
            name = _distinct(_named(chosen, seed), taken)
            cells.append(Cell(name, tomltext.emit({"seed": seed, **_unseeded(document)})))
    return cells, [
        f"{sentence} (with {words})" if words else sentence for sentence, words in problems.items()
    ]


def _unseeded(document: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in document.items() if key != "seed"}


def _put(document: dict[str, Any], keys: Sequence[str], value: object) -> None:
    *tables, last = keys
    for key in tables:
        document = document.setdefault(key, _begun(key))
    document[last] = value


def _begun(table: str) -> dict[str, Any]:
    """What a table must hold if only the grid speaks of it: [strategy] its name, by default."""
    defaults = {field.encode_name: field.default for field in msgspec.structs.fields(Plan)}
    usual = defaults.get(table)
    if not isinstance(usual, msgspec.Struct):
        return {}
    fields = msgspec.structs.fields(usual)
    return {field.encode_name: getattr(usual, field.name) for field in fields if field.required}


def _repeated(file: SweepFile, text: str, path: Path) -> list[str]:
    twice = sorted({seed for seed in file.seeds if file.seeds.count(seed) > 1})
    if not twice:
        return []
    where = _where(text, "seeds", path)
    return [f"{where}: seeds: {', '.join(map(str, twice))} is there twice: write each once"]


def _grid_problems(grid: Mapping[str, object], text: str, path: Path) -> list[str]:
    """Every key that no plan has, and every value that does not fit its key."""
    found = []
    known = _keys_of(SimulatedPlan, "")
    for key, values in grid.items():
        where = f"{_where(text, key, path)}: [grid] {key}"
        if key == "seed":
            found.append(f"{where}: seeds are given as 'seeds = [1, 2]', above [grid]")
            continue
        shape = _shape_of(key.split("."))
        if shape is None:
            close = difflib.get_close_matches(key, known, n=1)
            cure = f"did you mean {close[0]!r}?" if close else "docs/simulation.md lists all keys"
            found.append(f"{where}: a plan has no such key; {cure}")
        elif not isinstance(values, list) or not values:
            found.append(f"{where}: write a list of values, such as [0.01, 0.1]")
        else:
            found += [f"{where}: {said}" for said in _value_problems(values, shape)]
    return found


def _value_problems(values: Sequence[object], shape: Any) -> list[str]:
    found = []
    for number, value in enumerate(values):
        try:
            msgspec.convert(value, shape)
        except msgspec.ValidationError as error:
            found.append(f"{value!r}: {_PATH.sub('', str(error))}")
        if value in values[:number]:
            found.append(f"{value!r} is there twice: write each value once")
    return found


def _shape_of(keys: Sequence[str]) -> Any:
    """The type of a plan's key; None if there is no such key."""
    current: Any = SimulatedPlan
    for key in keys:
        if typing.get_origin(current) is dict:
            current = typing.get_args(current)[1]
            continue
        if not (isinstance(current, type) and issubclass(current, msgspec.Struct)):
            return None
        types = {field.encode_name: field.type for field in msgspec.structs.fields(current)}
        if key not in types:
            return None
        current = types[key]
    return current


def _keys_of(shape: type[msgspec.Struct], prefix: str) -> list[str]:
    found: list[str] = []
    for field in msgspec.structs.fields(shape):
        inner = field.type
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            found += _keys_of(inner, f"{prefix}{field.encode_name}.")
        else:
            found.append(prefix + field.encode_name)
    return found


def _where(text: str, key: str, path: Path) -> str:
    """The file and the line that assigns this key, quoted or by its last part."""
    last = key.rpartition(".")[2]
    for name in (key, last):
        pattern = rf"^\s*[\"']?{re.escape(name)}[\"']?\s*="
        for number, line in enumerate(text.splitlines(), 1):
            if re.match(pattern, line):
                return f"{path}, line {number}"
    return str(path)


def _words(chosen: Mapping[str, object]) -> str:
    return ", ".join(f"{key} = {value!r}" for key, value in chosen.items())


def _named(chosen: Mapping[str, object], seed: int) -> str:
    keys = list(chosen)
    words = [f"{short_key(key, keys)}={value}" for key, value in chosen.items()]
    name = _UNSAFE.sub("-", ",".join([*words, f"seed={seed}"]))
    if len(name) <= MAX_NAME:
        return name
    tag = blake2b(name.encode(), digest_size=6).hexdigest()
    return f"{name[: MAX_NAME - 20]}-{tag},seed={seed}"[: MAX_NAME + 20]


def _distinct(name: str, taken: set[str]) -> str:
    """Values that differ in characters which no folder's name has are told apart by a number."""
    number, found = 2, name
    while found.lower() in taken:  # some file systems do not tell A from a
        found, number = f"{name}-{number}", number + 1
    taken.add(found.lower())
    return found
