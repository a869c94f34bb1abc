import json
from pathlib import Path

import pytest
from a_coordinator import a_finished_run, make

from coordinator import cli
from coordinator.exits import Exit
from coordinator.layout import Layout


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return a_finished_run(tmp_path_factory.mktemp("ran"))


def run(*arguments: object) -> int:
    return cli._run([str(argument) for argument in arguments])


def test_audit_export_backup_and_restore(
    ran: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("audit", "show", "-n", "3", "--dir", ran.root) == Exit.OK
    assert capsys.readouterr().out.count("\n") == 3
    assert run("audit", "show", "--json", "--dir", ran.root) == Exit.OK
    assert all(json.loads(line)["seq"] for line in capsys.readouterr().out.splitlines())
    assert run("audit", "verify", "--json", "--dir", ran.root) == Exit.OK
    assert json.loads(capsys.readouterr().out)["sound"] is True
    out = tmp_path / "model"
    assert run("export", "--no-torch", "--json", "--out", out, "--dir", ran.root) == Exit.OK
    assert json.loads(capsys.readouterr().out)["round"] == 2
    assert run("export", "--no-torch", "--out", out, "--dir", ran.root) == Exit.CANNOT_CREATE
    assert run("backup", tmp_path / "copy", "--dir", ran.root) == Exit.OK
    assert "keep identity.key elsewhere" in capsys.readouterr().err
    assert run("restore", tmp_path / "copy", "--dir", tmp_path / "new") == Exit.OK
    assert "put identity.key" in capsys.readouterr().err
    assert run("restore", tmp_path / "copy", "--dir", tmp_path / "new") == Exit.REFUSED


def test_a_tampered_chain_has_an_exit_status_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = make(tmp_path / "f")
    held = tmp_path / "head.json"
    held.write_text(json.dumps({"sequence": 1, "hash": "00" * 32, "signature": "00" * 64}))
    status = run("audit", "verify", "--held", held, "--dir", layout.root)
    assert status == Exit.BAD_DATA
    assert capsys.readouterr().out
