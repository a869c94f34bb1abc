"""A parsed TOML file as TOML text again: what `tomllib.loads` makes of the text is equal.

Comments and layout are lost. Tables come after the plain values of the table they are in, as TOML
wants it.
"""

import datetime as dt
import json
import math
import re
from collections.abc import Mapping

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def emit(document: Mapping[str, object]) -> str:
    """The text. Raises TypeError for what TOML cannot say, such as None."""
    lines: list[str] = []
    _table(lines, document, ())
    return "\n".join(lines).lstrip("\n") + "\n"


def _table(lines: list[str], table: Mapping[str, object], path: tuple[str, ...]) -> None:
    inner = {key: value for key, value in table.items() if _has_header(value)}
    lines += [f"{_key(key)} = {_value(v)}" for key, v in table.items() if key not in inner]
    for key, value in inner.items():
        here = (*path, key)
        name = ".".join(map(_key, here))
        if isinstance(value, Mapping):
            lines += ["", f"[{name}]"]
            _table(lines, value, here)
        elif isinstance(value, list):
            for one in value:
                lines += ["", f"[[{name}]]"]
                _table(lines, one, here)


def _has_header(value: object) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, Mapping) for one in value)
    return isinstance(value, Mapping)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return repr(value) if math.isfinite(value) else str(value)
        case str():
            return _text(value)
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case Mapping():
            pairs = ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items())
            return f"{{ {pairs} }}" if pairs else "{}"
        case _:
            raise TypeError(f"TOML has no {type(value).__name__}")


def _text(text: str) -> str:
    """A basic string: JSON's escapes are TOML's, but for one character that TOML escapes too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
