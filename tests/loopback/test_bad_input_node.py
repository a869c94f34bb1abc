"""What a node's operator can do wrong, with the real programs: one sentence, the right exit
status, never a traceback, nothing half-written, and the next correct command works.
"""

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from programs import BIN, Federation

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(300)]
Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """One federation for the whole file; each test takes a profile of its own."""
    found = Federation(tmp_path_factory.mktemp("f"), nodes=9, rounds=5).init()
    found.serve()
    yield found
    found.close()


def refused(done: Done, status: int, *says: str) -> None:
    said = done.stdout + done.stderr
    assert done.returncode == status, said
    assert "Traceback" not in said
    for words in says:
        assert words in said


def joining(federation: Federation, *, task: Path | None = None) -> tuple[str, ...]:
    invite = federation.invite("--auto-approve")
    return (
        *("join", "--invite-file", str(invite), "--accept", federation.plan_hash),
        *("--task-file", str(task or federation.task), "--visible"),
    )


OWN = """\
from fedtui.learning.objectives import Classification
class Own(Classification):
    def model(self): ...
"""


def run(federation: Federation, *arguments: str, **environment: str) -> Done:
    return subprocess.run(
        [BIN / "fedtui", *arguments],
        env=federation.environment | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_commands_without_a_node_say_how_to_start_one(federation: Federation) -> None:
    for command in (["status"], ["pause"], ["leave", "--yes"], ["stop"]):
        done = federation.fedtui("nobody", *command)
        refused(done, 6, "no node is running for this profile", "fedtui --profile nobody join")


def test_an_invite_that_is_mistyped_cut_or_missing_is_refused_here(
    federation: Federation, tmp_path: Path
) -> None:
    good = federation.invite().read_text()
    other = "a" if good[40] != "a" else "b"
    cases = {
        good[:40] + other + good[41:]: (65, "typing mistake"),
        good[:-9]: (65, "incomplete"),
        "hello": (65, "should start with 'fedtui1:'"),
        "": (65, "is empty"),
    }
    path = tmp_path / "invite"
    for text, (status, says) in cases.items():
        path.write_text(text)
        refused(federation.fedtui("typo", "join", "--invite-file", str(path)), status, says)
    missing = federation.fedtui("typo", "join", "--invite-file", str(tmp_path / "none"))
    refused(missing, 66, "none: No such file", "check the name")
    folder = federation.fedtui("typo", "join", "--invite-file", str(tmp_path))
    refused(folder, 66, "name a file in it")
    assert not (federation.folder / "nodes" / "typo" / "node.toml").exists()
    assert federation.fedtui("typo", *joining(federation)).returncode == 0


def test_E1_a_reused_invite_is_refused_and_a_new_one_works(federation: Federation) -> None:
    used = joining(federation)
    assert federation.fedtui("first", *used).returncode == 0
    reused = federation.fedtui("second", *used)
    refused(reused, 8, "unknown, expired or used up", "ask the coordinator's operator")
    assert federation.fedtui("second", "status").returncode == 6, "nothing is left running"
    assert federation.fedtui("second", *joining(federation)).returncode == 0


def test_options_that_mean_nothing_name_what_there_is(federation: Federation) -> None:
    start = joining(federation)
    refused(federation.fedtui("options", *start, "--role", "king"), 2, "no role 'king'")
    refused(federation.fedtui("options", *start, "--shard", "x"), 2, "write it like 0/4")
    refused(federation.fedtui("options", *start, "--shard", "5/4"), 2, "not one of N shards")
    assert "king" not in (federation.folder / "nodes" / "options" / "node.toml").read_text()
    assert federation.fedtui("options", *start).returncode == 0


def test_another_plan_hash_and_another_task_file_are_refused(
    federation: Federation, tmp_path: Path
) -> None:
    other = tmp_path / "mine.py"
    other.write_text(federation.task.read_text() + "# changed\n")
    start = joining(federation, task=other)
    plan = federation.fedtui("hash", *start, "--accept", "0" * 64)
    refused(plan, 7, "the plan is another than you accept", federation.plan_hash)
    task = federation.fedtui("hash", *start)
    refused(task, 7, "the plan needs the task file with hash")
    assert federation.fedtui("hash", "status").returncode == 6
    mended = ("join", "--accept", federation.plan_hash, "--task-file", str(federation.task))
    assert federation.fedtui("hash", *mended).returncode == 0


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def x(:\n", "line 1 failed: SyntaxError"),
        ("\nraise RuntimeError('boom')\n", "line 2 failed: RuntimeError: boom"),
        ("x = 1\n", "has no `build`"),
        ("import sys\nsys.exit(3)\n", "line 2 failed: SystemExit: 3"),
        ("def build():\n    return None\n", "returned None: end it with `build = YourClass`"),
        (
            f"{OWN}    def date(self, source): ...\nbuild = Own\n",
            "has no `data`: write `def data(",
        ),
        (f"{OWN}    def data(self): ...\nbuild = Own\n", "`data` of the task file"),
    ],
)
def test_an_own_task_that_does_not_load_is_named_with_its_line(
    federation: Federation, tmp_path: Path, source: str, says: str
) -> None:
    task = tmp_path / "broken.py"
    task.write_text(source)
    refused(federation.fedtui("tasks", "task", "check", str(task)), 65, str(task), says)


def test_a_mistake_in_node_toml_is_said_with_line_and_key(federation: Federation) -> None:
    assert federation.fedtui("toml", *joining(federation)).returncode == 0
    assert federation.fedtui("toml", "stop").returncode == 0
    toml = federation.folder / "nodes" / "toml" / "node.toml"
    good = toml.read_text()
    for old, new, says in (
        ("threads =", "treads =", "line 24: limits.treads"),
        ("threads = 1", 'threads = "x"', "line 24: limits.threads: Expected `int`"),
        ("[limits]", "[limits", "line 22: Expected ']'"),
        ('"participant"', '"king"', "line 5: role"),
    ):
        toml.write_text(good.replace(old, new))
        refused(federation.fedtui("toml", "node", "--foreground"), 2, str(toml), says)
    toml.write_text(good)
    assert federation.fedtui("toml", "node").returncode == 0


def test_places_that_cannot_be_used_are_named(federation: Federation, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    below = {"FEDTUI_HOME": str(blocked / "x")}
    refused(run(federation, "node", **below), 73, str(blocked), "choose another place")
    opened = tmp_path / "home" / "default"
    opened.mkdir(parents=True, mode=0o755)
    home = {"FEDTUI_HOME": str(tmp_path / "home")}
    refused(run(federation, "node", **home), 77, "open to other users", f"chmod 700 {opened}")
    opened.chmod(0o700)
    assert run(federation, "node", **home).returncode == 0
    assert run(federation, "stop", **home).returncode == 0
    for name in ("../x", "a/b", ""):
        refused(run(federation, "--profile", name, "status"), 2, "cannot be a profile's name")


def test_a_second_node_for_a_profile_is_refused(federation: Federation) -> None:
    assert federation.fedtui("twice", *joining(federation)).returncode == 0
    refused(federation.fedtui("twice", "node", "--foreground"), 73, "is running already")
    assert federation.fedtui("twice", "status").returncode == 0


def test_damaged_files_of_a_profile_are_named_with_the_cure(federation: Federation) -> None:
    assert federation.fedtui("damaged", *joining(federation)).returncode == 0
    assert federation.fedtui("damaged", "stop").returncode == 0
    home = federation.folder / "nodes" / "damaged"
    for name, status, cure in (
        ("identity.key", 77, "put it back from your backup"),
        ("trusted.json", 77, "put it back from your backup"),
        ("consent.json", 65, "remove it and consent again"),
    ):
        path = home / name
        good = path.read_bytes()
        path.write_bytes(good[:-4])
        refused(federation.fedtui("damaged", "node"), status, str(path), cure)
        assert path.read_bytes() == good[:-4], "it is left as it was"
        path.write_bytes(good)
    key = home / "identity.key"
    key.chmod(0o644)
    refused(federation.fedtui("damaged", "node"), 77, "chmod 600")
    key.chmod(0o600)
    assert federation.fedtui("damaged", "node").returncode == 0


def until_it_reads(pid: int) -> None:
    """Wait until the program sleeps at its prompt.

    A Ctrl-C in the instant before it reads is noticed at the next key only, as in any program.
    """
    while psutil.Process(pid).status() != psutil.STATUS_SLEEPING:
        time.sleep(0.005)


def typing(federation: Federation, *arguments: str, at: bytes, keys: bytes) -> tuple[int, str]:
    """Run `fedtui` at a terminal and press keys once it has said `at`."""
    pid, terminal = pty.fork()
    if pid == 0:
        program = BIN / "fedtui"
        os.execve(program, ["fedtui", *arguments], federation.environment)  # noqa: S606 - ours
    said = b""
    while select.select([terminal], [], [], 60)[0]:
        try:
            said += os.read(terminal, 4096)
        except OSError:  # the terminal is gone with its program
            break
        if at in said and keys:
            until_it_reads(pid)
            os.write(terminal, keys)
            keys = b""
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), said.decode()


def test_ctrl_c_at_either_prompt_of_join_leaves_nothing_running(federation: Federation) -> None:
    status, said = typing(federation, "--profile", "c", "join", at=b"invite", keys=b"\x03")
    assert (status, "Traceback" in said) == (130, False), said
    join = joining(federation)[:3]
    task = ("--task-file", str(federation.task), "--visible")
    status, said = typing(federation, "--profile", "c", *join, *task, at=b"Agree", keys=b"\x03")
    assert (status, "Traceback" in said) == (130, False), said
    assert federation.fedtui("c", "status").returncode == 6
    agreed = federation.fedtui("c", "join", "--accept", federation.plan_hash, "--visible")
    assert agreed.returncode == 0, agreed.stderr


def test_K2_no_secret_of_a_node_is_in_its_log_files_or_arguments(federation: Federation) -> None:
    passphrase = "canary of a passphrase"  # noqa: S105 - searched for below
    secret = federation.folder / "passphrase"
    secret.write_text(passphrase)
    invite = federation.invite("--auto-approve").read_text().strip()
    environment = {"FEDTUI_PASSPHRASE_FILE": str(secret)}
    done = run(federation, "--profile", "canary", *joining(federation), **environment)
    assert done.returncode == 0, done.stderr
    home = federation.folder / "nodes" / "canary"
    seen = done.stdout.encode() + done.stderr.encode()
    for path in home.rglob("*"):
        if path.is_file() and path.name != "identity.key":
            seen += path.read_bytes()
    seen += (federation.folder / "coordinator.log").read_bytes()
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            seen += process.read_bytes()
        except OSError:
            continue
    assert str(home.name).encode() in seen
    shown = (federation.folder / "invite").read_text().strip()
    for canary in (passphrase, invite, shown, invite[8:60], shown[8:60]):
        assert canary.encode() not in seen


def test_a_coordinator_that_is_away_is_said_and_nothing_stays(
    federation: Federation, tmp_path: Path
) -> None:
    """The last test of this file: it stops the coordinator."""
    start = joining(federation)
    assert federation.coordinator("stop").returncode == 0
    away = federation.fedtui("away", *start, "--timeout", "2")
    refused(away, 69, "not joined after 2 s", "check address and network")
    assert federation.fedtui("away", "status").returncode == 6
