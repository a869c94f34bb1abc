"""The coordinator as a process: its commands, its signals, its last words, and being killed."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from a_coordinator import MANIFEST, D, ThinNode, make, until

from coordinator import adminclient
from coordinator.checkpoints import open_checkpoint
from coordinator.exits import Exit
from coordinator.layout import Layout
from coordinator.opening import load_identity
from coordinator.reading import reading
from fedtui.wire.invite import Invite

pytestmark = pytest.mark.loopback

COMMAND = [sys.executable, "-m", "coordinator"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """`fedtui-coordinator serve` of one directory, and its other commands."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.running: subprocess.Popen[str] | None = None
        self.hello: dict[str, object] = {}
        self.log = layout.root.parent / "serve.log"

    def start(self) -> None:
        with self.log.open("a") as log:
            self.running = subprocess.Popen(
                [*COMMAND, "serve", "--json", "--dir", str(self.layout.root)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.running.stdout is not None
        line = self.running.stdout.readline()
        assert line, self.log.read_text()
        self.hello = json.loads(line)

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.running is not None
        self.running.send_signal(number)
        status = self.running.wait(20)
        assert self.running.stdout is not None
        self.running.stdout.close()
        self.running = None
        return status

    @property
    def port(self) -> int:
        return int(str(self.hello["address"]).rpartition(":")[2])

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*COMMAND, *command, "--dir", str(self.layout.root)],
            capture_output=True,
            text=True,
            check=False,
        )

    def ask(self, *command: str) -> object:
        done = self.run(*command, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def invite(self, *options: str) -> Invite:
        made = self.ask("invite", *options)
        assert isinstance(made, dict)
        return Invite.parse(made["invite"])


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    made: list[Process] = []

    def prepare(**options: object) -> Process:
        layout = make(tmp_path / "f", **options)  # type: ignore[arg-type]  # as make takes them
        text = layout.config.read_text().replace("port = 0", f"port = {free_port()}", 1)
        layout.config.write_text(text)
        made.append(Process(layout))
        return made[-1]

    yield prepare
    for each in made:
        if each.running is not None:
            each.stop(signal.SIGKILL)


def refused(done: "subprocess.CompletedProcess[str]", status: Exit, says: str) -> None:
    """One clear line on stderr, this exit status, nothing on stdout."""
    assert done.returncode == status, done.stderr
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, Exit.OK), (signal.SIGINT, Exit.INTERRUPTED)]
)
def test_signals_stop_it_in_good_order(
    process: Callable[..., Process], number: int, status: Exit
) -> None:
    here = process()
    here.start()
    assert here.stop(number) == status
    assert (here.layout.state / "coordinator.lock").read_bytes() == b""
    assert not here.layout.socket.exists()


def test_L6_a_taken_port_is_one_line(process: Callable[..., Process]) -> None:
    here = process()
    port = int(here.layout.config.read_text().split("port = ")[1].split()[0])
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        done = here.run("serve")
        lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
        assert done.returncode == Exit.CANNOT_LISTEN
        assert len(lines) == 1
        assert "another program listens there already" in lines[0]
    here.start()
    assert here.stop() == 0


def test_a_second_coordinator_in_a_directory_is_refused(process: Callable[..., Process]) -> None:
    here = process()
    here.start()
    done = here.run("serve")
    assert done.returncode == Exit.TRY_LATER
    assert f"in use by process {here.running.pid if here.running else 0}" in done.stderr
    assert here.ask("status")["incarnation"] == here.hello["incarnation"]  # type: ignore[index]


def test_the_commands_of_a_running_coordinator(process: Callable[..., Process]) -> None:
    here = process()
    refused(here.run("pause"), Exit.NOT_RUNNING, "start it with 'fedtui-coordinator serve")
    here.start()
    invite = here.invite("--uses", "3", "--role", "observer")
    assert invite.addresses == (f"127.0.0.1:{here.port}",)
    assert here.ask("nodes") == []
    assert here.ask("pause")
    status = here.ask("status")
    assert isinstance(status, dict)
    assert (status["state"], status["running"], status["rounds"]) == ("paused", True, [])
    assert here.ask("resume")
    refused(here.run("nodes", "approve", "xyz"), Exit.BAD_DATA, "this is not a fingerprint")
    assert here.run("invite", "--role", "king").returncode == Exit.USAGE
    assert here.run("stop").returncode == 0
    assert here.running is not None
    assert here.running.wait(20) == 0
    stopped = here.ask("status")
    assert isinstance(stopped, dict)
    assert (stopped["state"], stopped["running"]) == ("stopped", False)


async def test_R1_killed_at_every_point_of_a_round_it_goes_on(
    process: Callable[..., Process],
) -> None:
    """SIGKILL right after each kind of thing that can happen; the model stays exact."""
    points = [
        "joined",
        "phase inviting",
        "round started",
        "phase collecting",
        "update",
        "phase aggregating",
        "round finished",
        "phase evaluating",
        "scored",
    ]
    rounds = len(points) + 2
    here = process(rounds=rounds, deadline_s=5.0)
    here.start()
    nodes = [ThinNode(1, trains_s=0.3), ThinNode(3, trains_s=0.2)]
    coordinator = load_identity(here.layout).id
    try:
        for node in nodes:
            invite = here.invite("--auto-approve")
            node.dial(here.port, coordinator, invite)
        for point in points:
            await asyncio.to_thread(kill_at, here, point)
            await asyncio.to_thread(here.start)
        await until(lambda: "Ended" in str(type(nodes[0].heard[-1])))
    finally:
        for node in nodes:
            await node.stop()
    assert here.stop() == 0
    with reading(here.layout) as database:
        snapshot = database.snapshot()
        assert database.incarnation == 2 + len(points)
    assert [r.round for r in snapshot.rounds] == list(range(rounds + 1))
    assert snapshot.ended is not None
    model = here.layout.checkpoints / snapshot.rounds[-1].checkpoint_name
    with open_checkpoint(model, MANIFEST) as reader:
        values = np.frombuffer(reader.read(0, 4 * D), "<f4")
    np.testing.assert_array_equal(values, 2.5 * rounds)  # I2, I3: each update exactly once
    assert here.run("audit", "verify").returncode == 0
    assert list(here.layout.spool.iterdir()) == []  # I9


def kill_at(here: Process, point: str) -> None:
    """Kill the coordinator as soon as `follow` tells of this."""
    assert here.running is not None
    for text in adminclient.follow(here.layout):
        line = json.loads(text)
        event = f"phase {line['phase']}" if line["event"] == "phase" else line["event"]
        if event == "status" and line["status"]["connected"]:
            event = "joined"
        if event == point:
            here.running.kill()
            break
        assert event != "ended", f"the federation ended before {point!r}"
    here.stop(signal.SIGKILL)


def arguments(pid: int) -> bytes:
    """What every user of the machine can read of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()


async def test_K2_no_secret_is_in_logs_database_spool_or_arguments(
    process: Callable[..., Process],
) -> None:
    here = process(rounds=100_000)
    text = here.layout.config.read_text().replace('# level = "info"', 'level = "debug"')
    here.layout.config.write_text(text)
    here.start()
    nodes = [ThinNode(1), ThinNode(3)]
    coordinator = load_identity(here.layout).id
    invites = [here.invite("--auto-approve") for _ in nodes]
    try:
        for node, invite in zip(nodes, invites, strict=True):
            node.dial(here.port, coordinator, invite)
        await until(lambda: any("Result" in str(type(m)) for m in nodes[0].heard))
        assert here.running is not None
        seen = arguments(here.running.pid)
    finally:
        for node in nodes:
            await node.stop()
    here.stop()
    seed = here.layout.identity.read_bytes()[-32:]
    secrets = [seed, *(invite.secret for invite in invites)]
    secrets += [secret.hex().encode() for secret in secrets]
    places = [here.log, *here.layout.state.rglob("*")]
    for path in places:
        if path.is_file():
            seen += path.read_bytes()
    for secret in secrets:
        assert secret not in seen
    assert b"round started" in here.log.read_bytes()
