"""What a node's operator declares of it, such as its site: few, short names and values.

Only what the plan asks for leaves a node (rounds/choices.py), after consent to that plan. Nothing
of it is proven. Bounds hold on both sides; values are shown to people as safe labels.
"""

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec

from fedtui.wire.labels import MAX_CELLS, safe_label

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,31}\Z"
MAX_DECLARED = 8

Name = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
Value = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_CELLS)]
Declared = Annotated[dict[Name, Value], msgspec.Meta(max_length=MAX_DECLARED)]


def is_name(text: object) -> bool:
    """Whether an attribute can be called so; plans are of strangers, so it may be no text."""
    return isinstance(text, str) and re.fullmatch(NAME_PATTERN, text) is not None


def readable(declared: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """As it can be shown to people, sorted by name; what is empty then is left out."""
    safe = ((name, safe_label(declared[name])) for name in sorted(declared))
    return tuple((name, value) for name, value in safe if value)
