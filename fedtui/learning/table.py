"""Tables of the operator's own: columns of a stated type, errors that name row and column.

Files are CSV or Parquet, or a folder that Hugging Face `datasets` saved (saveddata.py).

A plan states each column's type, so that every node turns the same cell into the same numbers:

    number                 the number itself
    number:MEAN:SPREAD     (number - MEAN) / SPREAD, for columns far from 0 and 1
    category:a|b|c         one of these words, one-hot (as a target: its position)

Extra columns of the file are ignored, and so are blank lines at its end. Rows count as a
spreadsheet shows them: the header is row 1.
"""

from __future__ import annotations

import csv
import importlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from fedtui.learning import saveddata
from fedtui.learning.data import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Cell: TypeAlias = str | float | int | bool | None
Floats: TypeAlias = npt.NDArray[np.float64]

_SHOWN = 40  # characters of a cell in an error


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name and type. `categories` is empty for a number."""

    name: str
    categories: tuple[str, ...] = ()
    mean: float = 0.0
    spread: float = 1.0

    @property
    def width(self) -> int:
        """How many numbers a cell becomes."""
        return len(self.categories) or 1


def parse_column(name: str, text: str) -> Column:
    """A column from its type as the plan writes it. ValueError if the type is not understood."""
    kind, _, rest = text.partition(":")
    if kind == "category":
        words = tuple(rest.split("|"))
        if len(words) < 2 or len(set(words)) != len(words) or "" in words:
            raise ValueError(f"column {name!r}: write category:a|b|c with two or more words")
        return Column(name, words)
    if kind == "number" and not rest:
        return Column(name)
    try:
        mean, spread = (float(part) for part in rest.split(":"))
    except ValueError:
        mean, spread = math.nan, math.nan
    if kind != "number" or not (math.isfinite(mean) and 0 < spread < math.inf):
        raise ValueError(
            f"column {name!r} has type {text!r}; write number, number:MEAN:SPREAD (with a spread "
            "above 0) or category:a|b|c"
        )
    return Column(name, (), mean, spread)


class Table:
    """The cells of some columns of a file; `path` is for errors."""

    def __init__(self, path: Path, cells: dict[str, Sequence[Cell]]) -> None:
        self._path = path
        self._cells = cells

    def features(self, columns: Sequence[Column]) -> Floats:
        """Numbers scaled and categories one-hot, side by side: shape (n, summed widths)."""
        blocks = [
            np.eye(column.width)[self.positions(column)]
            if column.categories
            else ((self.numbers(column) - column.mean) / column.spread)[:, None]
            for column in columns
        ]
        return np.concatenate(blocks, axis=1)

    def numbers(self, column: Column) -> Floats:
        """The column as finite numbers, unscaled. DataError names row and column."""
        found = np.empty(len(self._cells[column.name]))
        for row, cell in self._rows(column):
            try:
                found[row] = float(cell if isinstance(cell, int | float) else str(cell))
            except ValueError:
                found[row] = math.nan
            if not math.isfinite(found[row]):
                raise self._wrong(row, column, cell, "is not a number")
        return found

    def positions(self, column: Column) -> npt.NDArray[np.int64]:
        """Each cell's position among the categories. DataError names row and column."""
        known = {word: i for i, word in enumerate(column.categories)}
        found = np.empty(len(self._cells[column.name]), np.int64)
        for row, cell in self._rows(column):
            word = str(cell).strip()
            if word not in known:
                raise self._wrong(row, column, cell, f"is not one of {', '.join(known)}")
            found[row] = known[word]
        return found

    def _rows(self, column: Column) -> Iterator[tuple[int, Cell]]:
        for row, cell in enumerate(self._cells[column.name]):
            if cell is None or cell == "":
                raise self._wrong(row, column, cell, "is empty")
            yield row, cell

    def _wrong(self, row: int, column: Column, cell: Cell, what: str) -> DataError:
        shown = "the cell" if cell is None or cell == "" else repr(cell)[:_SHOWN]
        return DataError(
            f"{self._path}, row {row + 2}, column {column.name!r}: {shown} {what}; "
            "correct the cell or remove the row"
        )


def read_table(
    path: Path, names: Sequence[str], *, part: Literal["train", "test"] = "train"
) -> Table:
    """The named columns of a .csv or .parquet file, or of a folder that `datasets` saved.

    `part` matters only to such a folder, if it has several. DataError if a column lacks or the
    file is broken.
    """
    if path.suffix == ".parquet":
        return Table(path, _parquet(path, names))
    if saveddata.is_saved(path):
        return Table(path, saveddata.read_columns(path, names, part))
    return Table(path, _csv(path, names))


def _csv(path: Path, names: Sequence[str]) -> dict[str, Sequence[Cell]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV file in UTF-8: {error}") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    while rows and not rows[-1]:
        rows.pop()
    header = [name.strip() for name in rows[0]] if rows else []
    places = _places(path, header, names)
    for row, values in enumerate(rows[1:], 2):
        if len(values) != len(header):
            raise DataError(
                f"{path}, row {row}: it has {len(values)} cells, the header has {len(header)}; "
                "correct the row (a comma inside a cell needs quotes around the cell)"
            )
    return {
        name: [values[place] for values in rows[1:]]
        for name, place in zip(names, places, strict=True)
    }


def _places(path: Path, header: list[str], names: Sequence[str]) -> list[int]:
    for name in names:
        if header.count(name) != 1:
            what = "no column" if name not in header else "more than one column"
            raise DataError(
                f"{path} has {what} {name!r}; its columns are: {', '.join(header)[:400] or 'none'}"
            )
    return [header.index(name) for name in names]


def _parquet(path: Path, names: Sequence[str]) -> dict[str, Sequence[Cell]]:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise DataError(
            f"{path}: reading Parquet needs pyarrow: pip install 'fedtui[parquet]', or use CSV"
        ) from error
    try:
        _places(path, parquet.read_schema(path).names, names)
        table = parquet.read_table(path, columns=list(names))
    except (OSError, ValueError) as error:  # pyarrow's own errors derive from these
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is not a Parquet file that can be read: {error}") from error
    return {name: table.column(name).to_pylist() for name in names}
