"""A seized coordinator's disk: every file and table there, and what it tells of single nodes.

Nothing is believed because of its name: a masked vector must look like chance, a model must have
the tensors of the manifest and no byte more, and every other file is searched for runs of ordinary
numbers, in text, blobs and free pages alike. What this file does not know is said to be unknown.

The database is read from a copy, so that nothing on the disk changes.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

import msgspec

from fedtui.errors import ExitCode, OperatorError
from fedtui.leakage import seized_tables, traces
from fedtui.leakage.seized_tables import Tells

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEANING: dict[Tells, str] = {
    "nothing": "nothing of any node",
    "who": "who took part, when and from where",
    "key": "its holder can speak as this coordinator; past sessions stay closed",
    "sums": "sums over nodes",
    "masked": "cannot be told from random bytes",
    "counts": "numbers of single nodes: weights, losses, counts",
    "update": "a single node's update",
    "unknown": "not known to this drill: look at it",
}
BAD: tuple[Tells, ...] = ("update", "unknown")
MAX_FILE_BYTES = 2**31
_TEXTS = {
    "coordinator.toml": "settings",
    "plan.toml": "the plan",
    "manifest.json": "the model's tensors",
    "rotations.json": "older keys of the coordinator, public",
    "run.json": "the simulated run that it came from",
}
_KEYS = {"identity.key", "identity.words"}
_MODEL = re.compile(r"model-(\d{6,})\.safetensors(\.tmp)?|initial\.(safetensors|tmp)")
_STATE = re.compile(r"state-\d{6,}\.safetensors(\.tmp)?")
_CHANGE = re.compile(r"change-\d{6,}\.bin(\.tmp)?")
_SPOOLED = re.compile(r"(\d+)-(\d+)-([0-9a-f]{64})(-\d+-[0-9a-f]{64}\.part|\.update)")


class SeizedError(OperatorError):
    """A folder that cannot be searched; the text says why."""

    exit_code = ExitCode.MISSING_INPUT


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One file, or one table of the database, and what it tells."""

    path: str
    num_bytes: int
    what: str
    tells: Tells


def search(home: Path) -> tuple[Item, ...]:
    """Every file below a coordinator's directory, and every table, by path.

    Raises:
        SeizedError: it is no coordinator's directory, or cannot be read.
    """
    if not (home / "state").is_dir():
        raise SeizedError(
            f"{home} is no coordinator's directory: it has no folder state; name the one that "
            "`fedtui-coordinator init` made"
        )
    try:
        sizes = _tensor_bytes(home / "manifest.json")
        return tuple(sorted(_items(home, sizes), key=lambda item: item.path))
    except OSError as error:
        raise SeizedError(f"{error.filename or home}: {error.strerror or error}") from error


def gives_away(items: tuple[Item, ...]) -> bool:
    """Whether anything is a single node's update, or is not known."""
    return any(item.tells in BAD for item in items)


def _items(home: Path, tensor_bytes: int | None) -> Iterator[Item]:
    smallest = None
    database = home / "state" / "coordinator.db"
    if database.is_file():
        for table in seized_tables.read(database):
            if table.name == "survivors":
                smallest = table.smallest_sum
            yield Item(
                path=f"table {table.name}",
                num_bytes=table.num_bytes,
                what=f"{table.num_rows} row{'s' * (table.num_rows != 1)}{table.said}",
                tells=table.tells,
            )
    for path in sorted(home.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        size = path.lstat().st_size
        found: tuple[str, Tells]
        if path.is_symlink() or size > MAX_FILE_BYTES:
            found = "a link, or too large to read", "unknown"
        elif not path.is_file():
            found = "a socket", "nothing"
        else:
            found = _file(path, path.read_bytes(), tensor_bytes, smallest)
        yield Item(path=str(path.relative_to(home)), num_bytes=size, what=found[0], tells=found[1])


def _file(
    path: Path, data: bytes, tensor_bytes: int | None, smallest: int | None
) -> tuple[str, Tells]:
    """What a file is, and what it tells."""
    name, folder = path.name, path.parent.name
    if folder == "spool":
        return _spooled(name, data)
    if folder == "checkpoints" and (found := _checkpoint(name, data, tensor_bytes, smallest)):
        return found
    if (floats := traces.longest_floats(data)) >= traces.FEWEST:
        return f"{floats} ordinary numbers in a row", "unknown"
    return _other(path, name, data)


def _other(path: Path, name: str, data: bytes) -> tuple[str, Tells]:
    """A file without numbers."""
    if name in _KEYS:
        return "the coordinator's own key", "key"
    if name.startswith("coordinator.db"):
        return "the database, free pages and journal: no run of numbers", "who"
    if name == "coordinator.lock" and (not data or data.strip().isdigit()):
        return "a lock, by the number of a process", "nothing"
    if traces.is_text(data):
        if name in _TEXTS:
            return _TEXTS[name], "nothing"
        if "plugins" in path.parts:
            return "the operator's own code", "nothing"
    return "", "unknown"


def _spooled(name: str, data: bytes) -> tuple[str, Tells]:
    """An update on its way: masked, or for everybody who holds the disk to read."""
    found = _SPOOLED.fullmatch(name)
    if found is None:
        return "", "unknown"
    whose = f"from node {found[3][:8]}, round {found[1]}"
    if traces.looks_random(data):
        return f"a masked vector {whose}", "masked"
    if traces.longest_floats(data) >= traces.FEWEST:
        return f"a plain update {whose}", "update"
    return f"a vector {whose} that is not random", "update"


def _checkpoint(
    name: str, data: bytes, tensor_bytes: int | None, smallest: int | None
) -> tuple[str, Tells] | None:
    if _MODEL.fullmatch(name):
        if tensor_bytes is None or _safetensors_bytes(data) != tensor_bytes:
            return "not the tensors of the manifest alone", "unknown"
        if smallest == 1:
            return "a model; one is the last and a single node's update", "update"
        apart = "" if smallest is None else f"; from one to the next at least {smallest} nodes'"
        return f"a model{apart}", "sums"
    if _STATE.fullmatch(name):
        return "what the strategy keeps of sums", "sums"
    if _CHANGE.fullmatch(name):
        return "a model as its change from the last", "sums"
    return None


def _safetensors_bytes(data: bytes) -> int | None:
    """The bytes of the float32 tensors of a file that holds nothing else; else None."""
    size = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + size])
        header.pop("__metadata__", None)
        shapes = [one["shape"] for one in header.values() if one["dtype"] == "F32"]
        total = 4 * sum(math.prod(shape) for shape in shapes)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return total if len(shapes) == len(header) and len(data) == 8 + size + total else None


def _tensor_bytes(manifest: Path) -> int | None:
    """What a model takes by the manifest on the disk; None if there is none to read."""
    try:
        tensors = json.loads(manifest.read_bytes())["tensors"]
        return 4 * sum(int(math.prod(one["shape"])) for one in tensors)
    except (OSError, ValueError, KeyError, TypeError):
        return None
