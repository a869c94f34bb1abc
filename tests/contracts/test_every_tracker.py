"""What every tracker promises, whatever it writes."""

import subprocess
import sys
from pathlib import Path

import pytest

from fedtui import plugins
from fedtui.tracking.base import TrackingError

NAMES = plugins.names("tracking")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_written_and_goes_on_without_a_word_or_a_connection(
    name: str, tmp_path: Path
) -> None:
    code = f"""
import socket, sys, math
def refused(*_): raise AssertionError("it opened a connection")
socket.socket.connect = refused
from fedtui import plugins
for life in (1, 2):
    tracker = plugins.build("tracking", {name!r}, folder=sys.argv[1])
    tracker.begin("a | run", {{"plan": "x" * 9000, "seed": "1"}})
    tracker.round(life, {{"score": 0.5, "loss": math.nan}}, 1_700_000_000.0 + life)
    tracker.round(life, {{"bytes_up": 1e6}}, 1_700_000_000.5 + life)
    tracker.end()
    tracker.end()
"""
    folder = tmp_path / "deep" / "tracked"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(folder.iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["deep"], "it wrote elsewhere"


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_package_names_the_extra(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("tensorboardX", "mlflow", "mlflow.tracking"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(TrackingError, match=rf"pip install 'fedtui\[{name}\]'"):
        plugins.build("tracking", name, folder=str(tmp_path / "new"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_importing_a_tracker_loads_no_package_of_it(name: str) -> None:
    code = (
        f"import sys, fedtui.tracking.{name}\n"
        "sys.exit(bool({'tensorboardX', 'mlflow', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
