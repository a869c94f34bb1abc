"""Exports: whole files that a program can read back, with nothing in them that could act."""

import csv
import json
from pathlib import Path

import pytest
from a_status import HOSTILE, NOW
from hypothesis import given
from hypothesis import strategies as st

from fedtui.tui import exporting
from fedtui.tui.exporting import Sheet

SHEET = Sheet("rounds", ("round", "score", "why"), ((1, 0.5, ""), (2, None, "late, by 4 s")))
CELLS = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=50))


def test_both_forms_say_the_same(tmp_path: Path) -> None:
    table, lines = exporting.write(tmp_path / "new", (SHEET,), NOW)
    assert table.name == "rounds-20261124-120451.csv"
    assert list(csv.reader(table.read_text().splitlines())) == [
        ["round", "score", "why"],
        ["1", "0.5", ""],
        ["2", "", "late, by 4 s"],
    ]
    assert [json.loads(line) for line in lines.read_text().splitlines()] == [
        {"round": 1, "score": 0.5, "why": ""},
        {"round": 2, "score": None, "why": "late, by 4 s"},
    ]


def test_files_are_the_operators_own_and_replace_no_other(tmp_path: Path) -> None:
    first = exporting.write(tmp_path, (SHEET,), NOW)
    second = exporting.write(tmp_path, (SHEET,), NOW)
    assert not set(first) & set(second)
    assert second[0].name == "rounds-20261124-120451-2.csv"
    assert len(list(tmp_path.iterdir())) == 4
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())


def test_a_write_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        exporting.write(tmp_path, (SHEET,), NOW)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_sheet_makes_no_file(tmp_path: Path) -> None:
    assert exporting.write(tmp_path, (Sheet("events", ("at",), ()),), NOW) == []


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_no_cell_is_a_formula(text: str) -> None:
    sheet = Sheet("events", ("text",), ((text,),))
    assert list(csv.reader(exporting.as_csv(sheet).splitlines()))[1] == [f"'{text}"]
    assert json.loads(exporting.as_json_lines(sheet)) == {"text": text}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_cannot_act(text: str) -> None:
    sheet = Sheet("events", ("text",), ((text,),))
    for made in (exporting.as_csv(sheet), exporting.as_json_lines(sheet)):
        assert all(sign.isprintable() or sign == "\n" for sign in made)
        assert made.count("\n") == len(made.splitlines())


@given(st.lists(st.tuples(CELLS, CELLS), max_size=10))
def test_any_row_is_one_row_in_both(rows: list[tuple[exporting.Cell, exporting.Cell]]) -> None:
    sheet = Sheet("any", ("a", "b"), tuple(rows))
    read = list(csv.reader(exporting.as_csv(sheet).splitlines()))
    assert len(read) == len(rows) + 1
    assert all(len(row) == 2 for row in read)
    assert len(exporting.as_json_lines(sheet).splitlines()) == len(rows)
