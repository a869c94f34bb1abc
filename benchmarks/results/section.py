"""docs/results.md, section by section: what one looks like, and how a script puts its own there.

A script measures, hands a `Section` over, and its part of the page is replaced; the others stay.
Beside the page lies the folder `results/` with the pictures. Equal figures give equal text: there
is no date in it.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.simulated import machine
from fedtui.experiments.disk import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fedtui.experiments.drawing import Picture

ROOT = Path(__file__).parents[2]
ORDER = (
    "agreement",
    "loopback",
    "strategies",
    "claims",
    "communication",
    "stragglers",
    "cost_of_nodes",
    "cost_of_values",
    "robustness",
    "norm_bound",
    "privacy",
    "leakage",
)
_HEAD = """\
# Results

Every table here is made by the command above it, and can be made again; `make results` makes all
of them, in an hour or more. With `--short` each takes a minute at most, on smaller data: that is
what `make check` does. Seconds are of the machine that is named, which other work shared.
"""


@dataclass(frozen=True, slots=True)
class Table:
    """Column names, and rows of as many cells."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One heading: paragraphs and tables in their order, then the pictures, by their captions."""

    name: str
    title: str
    parts: Sequence[str | Table]
    pictures: dict[str, Picture] = field(default_factory=dict)

    def markdown(self, command: str) -> str:
        """The section as it stands on the page."""
        shown = [part if isinstance(part, str) else part.markdown() for part in self.parts]
        shown += [
            f"![{caption}](results/{self._file(place)}.svg)"
            for place, caption in enumerate(self.pictures)
        ]
        made = f"    {command}\n\nMeasured on: {machine()}."
        return "\n\n".join([f"## {self.title}", made, *shown])

    def write(self, folder: Path, command: str) -> None:
        """Put it into `folder`/results.md, and its pictures (SVG) into `folder`/results."""
        (folder / "results").mkdir(parents=True, exist_ok=True)
        for place, picture in enumerate(self.pictures.values()):
            write_whole(folder / "results" / f"{self._file(place)}.svg", picture.svg)
        page = folder / "results.md"
        known = sections(page.read_text(encoding="utf-8")) if page.exists() else {}
        known[self.name] = self.markdown(command)
        write_whole(page, joined(known).encode())

    def _file(self, place: int) -> str:
        return self.name + (f"_{place + 1}" if place else "")


def sections(page: str) -> dict[str, str]:
    """The sections of a page by name."""
    pattern = r"<!-- (\w+) -->\n(.*?)\n<!-- end -->"
    return {found[1]: found[2] for found in re.finditer(pattern, page, re.DOTALL)}


def joined(known: dict[str, str]) -> str:
    """The page of these sections."""
    parts = [f"<!-- {name} -->\n{known[name]}\n<!-- end -->\n" for name in ORDER if name in known]
    return "\n".join([_HEAD, *parts])


def main(module: str, about: str | None, measure: Callable[[bool, str], Section]) -> None:
    """A script's command line: measure, in short or in full, and put the section in place."""
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="small: a minute at most")
    parser.add_argument("--only", default="", help="cases with this word in their name")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder of results.md")
    chosen = parser.parse_args()
    command = f".venv/bin/python -m benchmarks.results.{module}"
    command += " --short" if chosen.short else ""
    command += f" --only {chosen.only}" if chosen.only else ""
    measure(chosen.short, chosen.only).write(chosen.out, command)
