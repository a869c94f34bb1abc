from pathlib import Path

import pytest

from coordinator.answers import Done
from coordinator.cli_options import layout_of, megabytes, show


def test_data_as_json_or_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    show(Done(text="done"), "for people", as_json=False)
    show(Done(text="done"), "for people", as_json=True)
    assert capsys.readouterr().out == 'for people\n{"text":"done"}\n'


def test_sizes() -> None:
    assert [megabytes(n) for n in (0, 999, 40_000_000)] == ["0.0 kB", "1.0 kB", "40.0 MB"]


def test_the_directory(tmp_path: Path) -> None:
    assert layout_of(tmp_path).root == tmp_path
