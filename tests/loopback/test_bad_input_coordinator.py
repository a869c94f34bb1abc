"""What a coordinator's operator can do wrong, with the real programs: one sentence, the right exit
status, never a traceback, nothing half-written, and the next correct command works.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from programs import BIN, Federation

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(300)]
Done = subprocess.CompletedProcess[str]
AS_ROOT = pytest.mark.skipif(
    os.getuid() != 0 or sys.platform != "linux" or not shutil.which("setpriv"),
    reason="needs root on Linux, mount and setpriv",
)


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """One directory for the whole file; whoever breaks something in it mends it again."""
    found = Federation(tmp_path_factory.mktemp("f"), nodes=2, rounds=5).init()
    yield found
    found.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def refused(done: Done, status: int, *says: str) -> None:
    said = done.stdout + done.stderr
    assert done.returncode == status, said
    assert "Traceback" not in said
    for words in says:
        assert words in said


def run(federation: Federation, *command: object, **environment: str) -> Done:
    return subprocess.run(
        [str(word) for word in command],
        env=federation.environment | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def init(federation: Federation, where: Path) -> list[object]:
    plan = federation.folder / "plan.toml"
    program = BIN / "fedtui-coordinator"
    return [program, "init", "--dir", where, "--plan", plan, "--task-file", federation.task]


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("coordinator", "port =", "prot =", "[server] prot: there is no such key; did you mean"),
        ("coordinator", "port = 0", 'port = "x"', "[server] port: Expected `int`, got `str`"),
        ("coordinator", "[server]", "[server", "this is not TOML: Expected ']'"),
        ("plan", "maximum =", "maxmum =", "[rounds] maxmum: there is no such key"),
        ("plan", "maximum = 5", "maximum = -1", "[rounds] maximum: Expected `int` >= 1"),
        ("plan", "[rounds]", "[rounds", "this is not TOML: Expected ']'"),
    ],
)
def test_a_mistake_in_a_configuration_is_said_with_line_and_key(
    federation: Federation, name: str, old: str, new: str, says: str
) -> None:
    path = federation.directory / f"{name}.toml"
    good = path.read_text()
    path.write_text(good.replace(old, new, 1))
    try:
        refused(federation.coordinator("serve"), 78, str(path), "line ", says)
    finally:
        path.write_text(good)


def test_damaged_files_of_a_coordinator_are_named_with_the_cure(federation: Federation) -> None:
    model = next((federation.directory / "state" / "checkpoints").iterdir())
    for path, status, cure in (
        (federation.directory / "identity.key", 77, "put it back from your backup"),
        (federation.directory / "manifest.json", 65, "restore it from a backup"),
        (model, 65, "restore a backup"),
    ):
        good = path.read_bytes()
        path.write_bytes(good[:-3])
        refused(federation.coordinator("serve"), status, path.name, cure)
        assert path.read_bytes() == good[:-3], "it is left as it was"
        path.write_bytes(good)


def test_what_exists_is_never_overwritten(federation: Federation, tmp_path: Path) -> None:
    again = run(federation, *init(federation, federation.directory))
    refused(again, 73, "holds a coordinator already and was left as it is")
    (tmp_path / "file").write_text("mine")
    below = run(federation, *init(federation, tmp_path / "file" / "c"))
    refused(below, 73, str(tmp_path / "file"), "choose another place")
    onto = federation.coordinator("export", "--no-torch", "--out", str(tmp_path / "file"))
    refused(onto, 73, "exists and was left as it is: give another --out")
    assert (tmp_path / "file").read_text() == "mine"
    nothing = run(federation, BIN / "fedtui-coordinator", "serve", "--dir", tmp_path / "none")
    refused(nothing, 66, "holds no coordinator: make one with 'fedtui-coordinator init'")


@AS_ROOT
def test_L5_a_full_disk_is_said_and_leaves_nothing(
    federation: Federation, small_disk: Path
) -> None:
    made = run(federation, *init(federation, small_disk / "c"))
    refused(made, 74, "No space left on device", "make room")
    exported = federation.coordinator("export", "--no-torch", "--out", str(small_disk / "m"))
    refused(exported, 74, f"{small_disk / 'm'}: No space left on device: make room")
    saved = federation.coordinator("backup", str(small_disk / "b"))
    refused(saved, 75, "full; make room")
    assert list(small_disk.iterdir()) == []
    with (small_disk / "fill").open("wb", buffering=0) as fill:
        while fill.tell() < 2**16:
            fill.write(bytes(4096))
    home = {"FEDTUI_HOME": str(small_disk / "n")}
    refused(run(federation, BIN / "fedtui", "node", **home), 74, "free some space")
    (small_disk / "fill").unlink()
    assert run(federation, BIN / "fedtui", "node", **home).returncode == 0
    assert run(federation, BIN / "fedtui", "stop", **home).returncode == 0


@AS_ROOT
def test_without_permission_the_file_is_named(federation: Federation, tmp_path: Path) -> None:
    """Root without the capability that lets root write everywhere."""
    common = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    made = run(federation, *common, *init(federation, closed / "c"))
    refused(made, 77, str(closed), "Permission denied: run as the user who owns")
    node = run(federation, *common, BIN / "fedtui", "node", FEDTUI_HOME=str(closed))
    refused(node, 77, str(closed), "check the owner and the mode")
    assert list(closed.iterdir()) == []


def test_a_running_coordinator_refuses_what_makes_no_sense(federation: Federation) -> None:
    refused(federation.coordinator("pause"), 6, "start it with 'fedtui-coordinator serve --dir")
    federation.serve()
    refused(federation.coordinator("serve"), 75, "is in use by process")
    unknown = federation.coordinator("nodes", "approve", "AAAA-" * 7 + "AAAA")
    refused(unknown, 2, "no node with this fingerprint ever came")
    refused(federation.coordinator("nodes", "revoke", "x"), 65, "this is not a fingerprint")
    refused(federation.coordinator("invite", "--role", "king"), 2, "there is no role 'king'")
    late = federation.coordinator("export", "--round", "77", "--out", "none")
    refused(late, 2, "there is no committed round 77; the last is 0")
    assert federation._server is not None
    federation._server.send_signal(signal.SIGKILL)
    federation._server.wait()
    federation.serve()
    assert federation.coordinator("audit", "verify").returncode == 0
    federation._server.send_signal(signal.SIGINT)
    assert federation._server.wait(30) == 130
    assert "Traceback" not in (federation.folder / "coordinator.log").read_text()
