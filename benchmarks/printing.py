"""How a benchmark prints its figures: one JSON object, or a line for each."""

import json
from collections.abc import Mapping


def show(found: Mapping[str, object], *, as_json: bool) -> None:
    """Print `found`, a figure (or a table of them) by name."""
    if as_json:
        print(json.dumps(found), flush=True)
        return
    width = max(map(len, found), default=0)
    for name, value in found.items():
        print(
            f"{name:{width}}  {value:g}"
            if isinstance(value, float)
            else f"{name:{width}}  {value}"
        )
