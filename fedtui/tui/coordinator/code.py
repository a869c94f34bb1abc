"""An invite as a QR code of half blocks, two rows of it in one line of the terminal. Pure."""

from __future__ import annotations

import segno

_HALVES = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}


def drawn(text: str) -> tuple[str, ...]:
    """The lines of the code, light on dark: to be drawn white on black, whatever the theme."""
    rows = [
        [bool(module) for module in row]
        for row in segno.make(text, error="l").matrix_iter(border=1)
    ]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    return tuple(
        "".join(_HALVES[upper, lower] for upper, lower in zip(above, below, strict=True))
        for above, below in zip(rows[::2], rows[1::2], strict=True)
    )
