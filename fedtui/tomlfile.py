"""A TOML file read into a struct; all that is wrong is said with file, line, key and a cure."""

import difflib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args, get_origin

import msgspec

from fedtui.errors import ExitCode, OperatorError

T = TypeVar("T", bound=msgspec.Struct)

MAX_BYTES = 2**20
_TABLE = re.compile(r"^\s*\[(\[?)\s*([A-Za-z0-9_.\-\s]+?)\s*\]")
_KEY = re.compile(r"^\s*([A-Za-z0-9_\-]+)\s*=")
_PATH = re.compile(r" - at `\$\.?(.*)`$")
_UNKNOWN = re.compile(r"unknown field `(.*?)`")


class ConfigError(OperatorError):
    """A configuration file that cannot be used as it is."""

    exit_code: ClassVar[ExitCode] = ExitCode.BAD_CONFIG


def read(path: Path, shape: type[T]) -> T:
    """The file's content as `shape`.

    Raises:
        ConfigError: missing, unreadable, not TOML, an unknown key, or a value that does not fit.
    """
    return parse(read_text(path, cure="'fedtui-coordinator init' writes one"), shape, path=path)


def parse(text: str, shape: type[T], *, path: Path) -> T:
    """As `read`, from text; `path` is only named in errors."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: this is not TOML: {error}") from error
    try:
        return msgspec.convert(raw, shape)
    except msgspec.ValidationError as error:
        problems = list(_problems(raw, shape, "$")) or [str(error)]
        said = (_explain(problem, text, shape, path) for problem in problems)
        raise ConfigError("\n".join(said)) from error


def _problems(raw: dict[str, Any], shape: type[msgspec.Struct], at: str) -> Iterator[str]:
    """All that is wrong, as msgspec says it of the first: key by key, table by table."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(shape)}
    for key, value in raw.items():
        if key not in fields:
            yield f"Object contains unknown field `{key}` - at `{at}`"
            continue
        kind = fields[key].type
        table = _table_of(kind)
        if table is not None and table is kind and isinstance(value, dict):
            yield from _problems(value, table, f"{at}.{key}")
            continue
        if table is not None and table is not kind and isinstance(value, list):
            inside = [
                problem
                for number, entry in enumerate(value)
                if isinstance(entry, dict)
                for problem in _problems(entry, table, f"{at}.{key}.{number}")
            ]
            yield from inside
            if inside:
                continue
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            inner = _PATH.search(str(error))
            place = f"{at}.{key}" + (f".{inner.group(1)}" if inner else "")
            said = _PATH.sub("", str(error))
            if "enum" in said and (known := _literals(kind)):
                said += f"; there are: {', '.join(map(str, known))}"
            yield f"{said} - at `{place}`"
    for key, field in fields.items():
        if field.required and key not in raw:
            yield f"Object missing required field `{key}` - at `{at}`"


def _table_of(kind: Any) -> type[msgspec.Struct] | None:
    """The struct that a key's table is read into, or every table of its array."""
    while get_origin(kind) in {Annotated, tuple, list}:
        kind = get_args(kind)[0]
    return kind if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else None


def _literals(kind: Any) -> tuple[bool | int | str, ...]:
    """The values that are allowed, of a type that lists some."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    return tuple(value for part in get_args(kind) for value in _literals(part))


def read_text(path: Path, *, cure: str) -> str:
    """The file's text; `cure` says what to do if there is none. Raises ConfigError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file; {cure}") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: is larger than {MAX_BYTES} bytes: not a configuration file")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}, line {line}: is not UTF-8 text") from error


def _explain(problem: str, text: str, shape: type[msgspec.Struct], path: Path) -> str:
    """From msgspec's sentence to one with a line and a cure."""
    at = _PATH.search(problem)
    keys = [key for key in re.split(r"\.|\[.*?\]", at.group(1) if at else "") if key]
    problem = _PATH.sub("", problem)
    cure = ""
    if unknown := _UNKNOWN.search(problem):
        key = unknown.group(1)
        cure = _nearest(key, _fields(shape, keys))
        keys.append(key)
        problem = "there is no such key"
    line = line_of(text, keys)
    where = f"{path}, line {line}" if line else str(path)
    names = [key for key in keys if not key.isdecimal()]
    name = f"[{'.'.join(names[:-1])}] {names[-1]}" if len(names) > 1 else "".join(names)
    if not line and names and "missing required" not in problem:
        name = ".".join(names)
    problem = problem.replace("Object missing required field", "there must be a key")
    return f"{where}: {name + ': ' if name else ''}{problem}{cure}"


def line_of(text: str, keys: list[str]) -> int | None:
    """1-based line of the innermost of `keys` that the text spells out; None if none is there.

    Tables of an array ([[name]]) are told apart by a number from 0 after the name.
    """
    found: int | None = None
    best = 0
    table: list[str] = []
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(line):
            names = [part.strip() for part in header.group(2).split(".")]
            table = _numbered(names, counts, is_next=bool(header.group(1)))
            here = (
                table[: len(keys)] if header.group(1) else table
            )  # its first stands for an array
        elif assigned := _KEY.match(line):
            here = [*table, assigned.group(1)]
        else:
            continue
        if len(here) > best and here == keys[: len(here)]:
            found, best = number, len(here)
    return found


def _numbered(names: list[str], counts: dict[str, int], *, is_next: bool) -> list[str]:
    """`names` with the number of its table after each array; `is_next` begins another table."""
    keys: list[str] = []
    for position, name in enumerate(names, 1):
        keys.append(name)
        path = ".".join(keys)
        if is_next and position == len(names):
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            keys.append(str(counts[path]))
    return keys


def _fields(shape: type[msgspec.Struct], keys: list[str]) -> list[str]:
    current = shape
    for key in keys:
        if key.isdecimal():
            continue
        types = {field.encode_name: field.type for field in msgspec.structs.fields(current)}
        inner = _table_of(types.get(key))
        if inner is None:
            return []
        current = inner
    return [field.encode_name for field in msgspec.structs.fields(current)]


def _nearest(key: str, known: list[str]) -> str:
    if not known:
        return "; remove it"
    close = difflib.get_close_matches(key, known, n=1)
    listed = ", ".join(sorted(known))
    return f"; did you mean {close[0]!r}?" if close else f"; there are: {listed}"


def without(text: str, table: str, *, path: Path) -> str:
    """The text without this table and all below it; what else is in it stays as it is.

    A text that is no TOML, or has no such table, stays as it is too: whoever reads it says why.

    Raises:
        ConfigError: the table is written so that its lines cannot be told from others.
    """
    try:
        whole = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return text
    if table not in whole:
        return text
    kept: list[str] = []
    is_out = False
    for line in text.splitlines(keepends=True):
        if header := _TABLE.match(line):
            is_out = header.group(2).split(".")[0].strip() == table
        if not is_out:
            kept.append(line)
    rest = "".join(kept).rstrip() + "\n"
    del whole[table]
    try:
        is_right = tomllib.loads(rest) == whole
    except tomllib.TOMLDecodeError:
        is_right = False
    if not is_right:
        raise ConfigError(
            f"{path}: [{table}] is written so that it cannot be left out: write it as tables of "
            "its own, or remove it from the file"
        )
    return rest
