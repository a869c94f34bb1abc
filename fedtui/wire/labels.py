"""Texts of strangers, made safe to show: labels of nodes, federations and invites.

A label can carry terminal escapes, text that runs backwards, marks that pile up over other lines,
or ten megabytes. `safe_label` leaves one short line of ordinary characters. It does not escape
markup: screens show labels as plain text, never as markup.
"""

import unicodedata

MAX_CELLS = 48
MAX_MARKS = 2
MAX_INPUT_CHARACTERS = 1024

# Controls, formats (bidi, zero width), private use, surrogates, unassigned (their width is
# unknown), line and paragraph separators.
_DROPPED = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
_VARIATION_SELECTORS = range(0xFE00, 0xFE10)  # they change how wide a terminal draws the character

# Wide since Unicode 16 (trigrams, hexagrams, counting rods): older tables still call them narrow.
_NEWLY_WIDE = (
    range(0x2630, 0x2638),
    range(0x268A, 0x2690),
    range(0x4DC0, 0x4E00),
    range(0x1D300, 0x1D377),
)


def safe_label(text: str, cells: int = MAX_CELLS) -> str:
    """Return `text` as at most `cells` terminal cells of one line; may be empty."""
    # One character can become 18 under NFKC, so the input is cut before it and the result after
    # it.
    visible = "".join(filter(_is_kept, text[:MAX_INPUT_CHARACTERS]))
    normal = unicodedata.normalize("NFKC", visible)
    return _cut(normal.strip(), cells).rstrip()


def _is_kept(character: str) -> bool:
    return (
        unicodedata.category(character) not in _DROPPED
        and ord(character) not in _VARIATION_SELECTORS
    )


def _cut(text: str, cells: int) -> str:
    kept: list[str] = []
    num_marks = MAX_MARKS  # a mark at the start would sit on whatever is shown before the label
    for character in filter(_is_kept, text):
        if unicodedata.category(character) in {"Mn", "Me", "Mc"}:
            num_marks += 1
            if num_marks > MAX_MARKS:
                continue
        else:
            num_marks = 0
        cells -= _width(character)
        if cells < 0:
            break
        kept.append(character)
    return "".join(kept)


def _width(character: str) -> int:
    """Cells of one character; never less than a terminal takes."""
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    wide = unicodedata.east_asian_width(character) in "WF"
    return 2 if wide or any(ord(character) in some for some in _NEWLY_WIDE) else 1
