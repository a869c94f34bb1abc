"""What a run of the demo leaves behind, and what it never overwrites."""

from pathlib import Path

import pytest

from fedtui.demo.running import keep_logs, move
from fedtui.demo.settings import OutputError


def test_logs_are_kept_and_no_key_and_no_invite(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "nodes" / "node-1").mkdir(parents=True)
    (folder / "nodes" / "node-1" / "identity.key").write_text("secret")
    for name in ("node-1.invite", "plan.toml", "node-1.log", "coordinator.log"):
        (folder / name).write_text("...")
    assert keep_logs(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["coordinator.log", "node-1.log"]


def test_without_logs_nothing_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "run").mkdir(parents=True)
    assert not keep_logs(folder)
    assert not folder.exists()


def test_the_model_appears_whole_and_never_over_another(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    (made / "model.safetensors").write_text("model")
    with pytest.raises(OutputError, match="exists and was left as it is"):
        move(made, tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="give another --out"):
        move(made, tmp_path / "file" / "out")
    move(made, tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b" / "model.safetensors").read_text() == "model"
