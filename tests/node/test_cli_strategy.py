import json
from pathlib import Path

import pytest

from fedtui import plugins
from node import cli
from node.paths import Profile


def test_add_keeps_the_file_and_says_its_hash(
    home: Profile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(plugins.OWN_VARIABLE, "")  # so that it is put back
    file = tmp_path / "mine.py"
    file.write_text("from fedtui.strategies.fedavg import FedAvg as build\n")
    assert cli._run(["--profile", "p", "strategy", "add", str(file), "--json"]) == 0
    digest = json.loads(capsys.readouterr().out)["sha256"]
    assert digest == plugins.file_hash(file.read_bytes())
    assert (home.plugins / "strategies" / "mine.py").read_bytes() == file.read_bytes()
    assert cli._run(["--profile", "p", "strategy", "add", str(file)]) == 0
    assert digest in capsys.readouterr().out
    file.write_text("")
    assert cli._run(["--profile", "p", "strategy", "add", str(file)]) == 65
    assert "has no `build`" in capsys.readouterr().err
