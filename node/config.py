"""NodeConfig: what the operator of this node decided, in node.toml.

`fedtui join` writes the file; the operator may edit it, then `fedtui join` (without an invite) or
a restart takes it over. An unknown key is an error, and each error names file, line and key.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from fedtui.status import Limits
from fedtui.wire import declared
from node.exits import Exit, Stop
from node.paths import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

Role = Literal["participant", "evaluator", "observer"]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=48)]
Fingerprint = Annotated[str, msgspec.Meta(pattern=r"^([A-Z2-7]{4}-){7}[A-Z2-7]{4}$")]
HexId = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?$")]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of node.toml."""


class CoordinatorTable(_Table, frozen=True):
    """Which coordinator: `id` pins its key (64 hex digits), `addresses` are tried in order."""

    id: HexId = ""
    addresses: Annotated[list[str], msgspec.Meta(max_length=16)] = []


class DataTable(_Table, frozen=True):
    """The operator's own examples. `shard` is "I/N" when N nodes share one data set (demos)."""

    path: str = ""
    split: str = "iid"
    shard: Annotated[str, msgspec.Meta(pattern=r"^\d{1,6}/\d{1,6}$")] = "0/1"
    split_seed: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0


class TaskTable(_Table, frozen=True):
    """`file` is the operator's own task (see 'fedtui task add'); `allow` empty means any task."""

    file: str = ""
    sha256: HexId = ""
    allow: list[str] = []


class PrivacyTable(_Table, frozen=True):
    """What of this node others may learn, whatever the plan says.

    `require_masked`: plans under which the coordinator reads updates are refused. Of masked
    rounds: the least nodes of a sum, the least colluders that must be reckoned with, and how many
    sums on one model may be opened that never came out as a result. `peers`, if there are any, are
    the fingerprints of the only nodes that may be in a sum with this one. `epsilon` is the most
    that a federation may cost of this node's privacy (node/allowance.py; 0: any); with it a plan
    without [dp] is refused.
    """

    require_masked: bool = True
    minimum: Annotated[int, msgspec.Meta(ge=3, le=2**15)] = 3
    colluders: Annotated[int, msgspec.Meta(ge=1, le=2**15)] = 1
    same_model: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 2
    peers: Annotated[list[Fingerprint], msgspec.Meta(max_length=2**14)] = []
    epsilon: Annotated[float, msgspec.Meta(ge=0, le=1e5)] = 0.0


class ModelTable(_Table, frozen=True):
    """What is done about a global model that got much worse on this node's own held-out data.

    It is told in any case; with "refuse" the node trains on no such model and sends nothing.
    """

    got_worse: Literal["tell", "refuse"] = "tell"


Declare = Annotated[dict[declared.Name, declared.Value], msgspec.Meta(max_length=64)]
"""What the operator declares of this node, such as its site; a plan gets what it asks for."""


class NodeConfig(_Table, frozen=True):
    """All of node.toml. Immutable: a changed one is written, then read again."""

    label: Name = "node"
    role: Role = "participant"
    coordinator: CoordinatorTable = CoordinatorTable()
    data: DataTable = DataTable()
    task: TaskTable = TaskTable()
    limits: Limits = Limits()
    privacy: PrivacyTable = PrivacyTable()
    model: ModelTable = ModelTable()
    declare: Declare = {}


_TEXT = """\
# What the operator of this node decided. After an edit: fedtui join
# ('fedtui join' with options writes this file anew, without comments of your own.)

label = {label}                # the name that the coordinator sees
role = {role}                  # participant, evaluator (tests only) or observer

[coordinator]
id = {id}                      # its pinned key; another key is a hard stop
addresses = {addresses}

[data]
path = {path}                  # a file or folder of yours; it is read here and stays here
split = {split}
shard = {shard}                # "0/1": all of it
split_seed = {split_seed}

[task]
file = {file}                  # your own task, set by 'fedtui task add'
sha256 = {sha256}
allow = {allow}                # names of tasks that may run here; empty: what you consented to

[limits]
cpu_percent = {cpu_percent}          # of the trainer's threads, 1 to 100
threads = {threads}                # of the trainer
memory_mb = {memory_mb}              # of the trainer; 0: no limit
device = {device}             # where it trains: "auto" (a GPU if any), "cpu", "cuda" or "mps"
max_upload_mb_per_day = {max_upload_mb_per_day}    # updates and sums, days of UTC; 0: no limit
max_upload_kb_per_s = {max_upload_kb_per_s}      # of updates; 0: as fast as it goes
run = {run}             # always, "idle" (others leave most cores free) or "AC" (not on battery)
hours = {hours}                 # "20:00-07:00", local time; "": at any time
leave_on = {leave_on}              # "2027-01-31": it leaves by itself on that day; "": never

[privacy]
require_masked = {require_masked}         # false: also plans that show the coordinator updates
minimum = {minimum}                # the least nodes of a masked sum that yours may be in
colluders = {colluders}              # how many of them may at least collude and learn no more
same_model = {same_model}             # sums on one model without a result, before the node pauses
peers = {peers}                # fingerprints of the only nodes in sums with yours; empty: any
epsilon = {epsilon}              # the most of your privacy that a plan's [dp] may spend; 0: any

[model]
got_worse = {got_worse}            # much worse on your own held-out data: "tell" you, or "refuse"

[declare]                      # site = "north": told to a coordinator whose plan asks for a site
"""


def load(path: Path) -> NodeConfig:
    """Read node.toml; the defaults if it does not exist. Raises Stop with line and key."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return NodeConfig()
    except UnicodeDecodeError as error:
        raise _wrong(path, 1, "it is not UTF-8 text") from error
    try:
        tables = tomllib.loads(text)
        if isinstance(tables.get("privacy"), dict):  # a key of older files that never did a thing
            tables["privacy"].pop("allow_visible_updates", None)
        config = msgspec.convert(tables, NodeConfig)
    except tomllib.TOMLDecodeError as error:
        raise _wrong(path, *_not_toml(text, str(error))) from error
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        place = place.lstrip(".")
        key = ".".join(filter(None, (place.rstrip("`"), _unknown_key(message))))
        raise _wrong(path, _line_of(text, key), f"{key}: {message}") from error
    for name in tables.get("limits", {}):  # a screen may send newer limits, an operator mistypes
        if name not in Limits.__struct_fields__:
            key = f"limits.{name}"
            raise _wrong(path, _line_of(text, key), f"{key}: there is no such limit")
    if trouble := trouble_with(config.limits):
        key, what = trouble
        raise _wrong(path, _line_of(text, key), f"{key}: {what}")
    return config


def trouble_with(limits: Limits) -> tuple[str, str] | None:
    """Which of the limits cannot be meant, and why; None if all can."""
    if limits.leave_on:
        try:
            dt.date.fromisoformat(limits.leave_on)
        except ValueError:
            return "limits.leave_on", f"there is no day {limits.leave_on}"
    start, _, end = limits.hours.partition("-")
    if start and start == end:
        return "limits.hours", f"{limits.hours} is no time at all; leave it empty for any time"
    return None


def save(path: Path, config: NodeConfig) -> None:
    """Write node.toml; the old file or the new one, never a half."""
    first = (config.coordinator, config.data, config.task)
    values: dict[str, object] = {"label": config.label, "role": config.role}
    for table in (*first, config.limits, config.privacy, config.model):
        values |= msgspec.structs.asdict(table)
    text = _TEXT.format(**{key: _toml(value) for key, value in values.items()})
    text += "".join(f"{name} = {_toml(value)}\n" for name, value in config.declare.items())
    write_atomically(path, text.encode())


def parse_shard(text: str) -> tuple[int, int]:
    """Read "I/N" as two numbers, 0 <= I < N. Raises Stop."""
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if not found or int(found[1]) >= int(found[2]):
        raise Stop(
            f"shard {text!r} is not one of N shards",
            remedy="write it like 0/4: the first of four shards",
            exit_code=Exit.USAGE,
        )
    return int(found[1]), int(found[2])


def _wrong(path: Path, line: int | None, what: str) -> Stop:
    where = f"{path}, line {line}" if line else str(path)
    return Stop(f"{where}: {what}", remedy="mend that line", exit_code=Exit.USAGE)


def _not_toml(text: str, message: str) -> tuple[int | None, str]:
    """Line and sentence of what tomllib says, with the line itself."""
    found = re.search(r" \(at line (\d+), .*\)$", message)
    if not found:
        return None, message
    number = int(found[1])
    return number, f"{message[: found.start()]}: {text.splitlines()[number - 1].strip()[:80]}"


def _unknown_key(message: str) -> str:
    found = re.search(r"unknown field `([^`]*)`", message)
    return found[1] if found else ""


def _line_of(text: str, key: str) -> int | None:
    """The line on which `table.key` (or a top-level key) is set."""
    *tables, name = key.partition("[")[0].split(".")
    inside = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[([^\[\]]+)\]", line)
        if header:
            inside = header[1].strip()
            if inside == key:
                return number
        elif inside == ".".join(tables) and re.match(rf"\s*{re.escape(name)}\s*=", line):
            return number
    return None


def _toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return '"' + "".join(_escape(char) for char in escaped) + '"'
        case list() | tuple():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
        case _:
            raise TypeError(f"node.toml holds no {type(value).__name__}")


def _escape(char: str) -> str:
    return char if char >= " " and char != "\x7f" else f"\\u{ord(char):04X}"
