"""Plain lines: one per event worth reading, and a file that does not grow for ever."""

from pathlib import Path

import pytest

from fedtui import status
from node import plain_log
from node.plain_log import PlainLog


def test_what_a_person_reads(capsys: pytest.CaptureFixture[str]) -> None:
    log = PlainLog(None)
    entry = status.LedgerLine(
        at=1.0, round=3, attempt=1, what="update", num_bytes=1234, form="visible", receiver="c"
    )
    for event in (
        status.StateChanged(state="paused", sentence="by you"),
        status.Logged(line=status.LogLine(at=1.0, level="warning", text="careful")),
        status.ProblemSeen(problem=status.Problem(text="bad", remedy="do this")),
        status.ProblemSeen(problem=None),
        status.LedgerWritten(line=entry),
        status.TrafficMeasured(traffic=status.Traffic()),
    ):
        log.event(event)
    lines = [line[20:] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "paused: by you",
        "warning: careful",
        "problem: bad; do this",
        "leaves here: round 3, update, 1,234 bytes, visible",
    ]


def test_the_file_is_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_log, "MAX_BYTES", 100)
    log = PlainLog(tmp_path / "node.log")
    for number in range(13):
        log.line(f"line {number}")
    assert "line 0" not in (tmp_path / "node.log.1").read_text()
    kept = (tmp_path / "node.log.1").read_text() + (tmp_path / "node.log").read_text()
    assert "line 12" in kept


def test_programs_read_the_same_lines_with_times_and_levels(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    path.with_suffix(".log.1").write_text("2026-11-24 10:00:00 info is plain\n")
    path.write_text("Traceback of old\n2026-11-24 10:00:02 error: no space\n")
    first, second, third = plain_log.lines(path, 9)
    assert (first.level, first.text) == ("info", "info is plain")
    assert (second.at, second.text) == (first.at, "Traceback of old")
    assert (third.at - first.at, third.level) == (2, "error")
    assert plain_log.lines(path, 1) == (third,)
    assert plain_log.lines(tmp_path / "none", 9) == ()


def test_a_line_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    log = PlainLog(tmp_path / "missing" / "node.log")
    log.event(status.StateChanged(state="idle", sentence="x"))
    with pytest.raises(OSError, match="No such file"):
        log.line("the first line says whether there is a log at all")
