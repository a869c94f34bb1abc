import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fedtui import plugins
from fedtui.tracking.base import TrackingError

pytestmark = [
    pytest.mark.slow,  # its package takes seconds to import
    pytest.mark.filterwarnings("ignore"),  # of a package of others
]


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        return list(database.execute(query))


def test_metrics_carry_round_time_and_value_and_a_run_goes_on(tmp_path: Path) -> None:
    for number in (1, 2):
        tracker = plugins.build("tracking", "mlflow", folder=str(tmp_path))
        tracker.begin("run", {"seed": "7"})
        tracker.round(number, {"score": number / 4}, 1_700_000_000.25 + number)
        tracker.end()
    found = rows(tmp_path, "SELECT key, value, step, timestamp FROM metrics ORDER BY step")
    assert found == [
        ("score", 0.25, 1, 1_700_000_001_250),
        ("score", 0.5, 2, 1_700_000_002_250),
    ]
    assert rows(tmp_path, "SELECT name, status FROM runs") == [("run", "FINISHED")]
    assert ("7",) in rows(tmp_path, "SELECT value FROM tags WHERE key = 'fedtui.seed'")


@pytest.mark.parametrize("note", ["", "../../etc", "0" * 32])
def test_a_run_that_is_gone_is_begun_anew(tmp_path: Path, note: str) -> None:
    (tmp_path / "mlflow.run").write_text(note)
    tracker = plugins.build("tracking", "mlflow", folder=str(tmp_path))
    tracker.begin("run", {})
    tracker.end()
    assert rows(tmp_path, "SELECT run_uuid FROM runs") == [
        ((tmp_path / "mlflow.run").read_text().strip(),)
    ]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    tracker = plugins.build("tracking", "mlflow", folder=str(tmp_path / "file" / "x"))
    with pytest.raises(TrackingError, match="Not a directory"):
        tracker.begin("run", {})
