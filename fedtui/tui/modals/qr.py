"""QR: a short text as a QR code of half blocks, dark on light whatever the theme. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import segno
from textual.content import Content

if TYPE_CHECKING:
    from fedtui.tui.glyphs import Glyphs

INK = "#000000 on #ffffff"
QUIET_ZONE = 2


def qr(text: str, glyphs: Glyphs) -> Content:
    """Two rows of modules per line; without block signs, one row per line of double blanks."""
    code = segno.make(text, micro=False, error="l")
    rows = [[bool(module) for module in row] for row in code.matrix_iter(border=QUIET_ZONE)]
    if glyphs.name == "ascii":
        drawn = ["".join("##" if dark else "  " for dark in row) for row in rows]
        return Content.styled("\n".join(drawn), INK)
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    signs = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
    drawn = [
        "".join(signs[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]
    return Content.styled("\n".join(drawn), INK)
