"""Figures are printed as one object that programs read, or as lines in two columns."""

import json

import pytest

from benchmarks.printing import show

FOUND = {"nodes": 10, "seconds": 0.12345678, "by role": {"node": 1}}


def test_an_object_is_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    show(FOUND, as_json=True)
    assert json.loads(capsys.readouterr().out) == FOUND


def test_lines_have_their_values_below_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    show(FOUND, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["nodes    10", "seconds  0.123457", "by role  {'node': 1}"]
