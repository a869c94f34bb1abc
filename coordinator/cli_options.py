"""Options that several commands share, and how they print."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from coordinator.layout import DIRECTORY_VARIABLE, Layout, directory

Dir = Annotated[
    Path | None,
    typer.Option(
        "--dir",
        help=f"The coordinator's directory (default: {DIRECTORY_VARIABLE}, else ./federation).",
        metavar="DIR",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def layout_of(given: Path | None) -> Layout:
    """Where everything lies."""
    return Layout(directory(given))


def show(found: object, text: str, *, as_json: bool) -> None:
    """Print data: as JSON on one line, or the text for people."""
    typer.echo(msgspec.json.encode(found).decode() if as_json else text)


def megabytes(num_bytes: int) -> str:
    """A size for people."""
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes >= 1e5 else f"{num_bytes / 1e3:.1f} kB"
