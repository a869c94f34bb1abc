"""`fedtui-coordinator watch` as people use it: in a real terminal, on a coordinator of its own."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from a_coordinator import ThinNode, make, until
from a_terminal import ATerminal

from coordinator import adminclient
from coordinator.answers import Status
from coordinator.asks import AskInvite, AskStatus
from coordinator.layout import Layout
from fedtui.crypto.keys import parse_fingerprint, short_id
from fedtui.crypto.words import words
from fedtui.status.coordinator import MadeInvite
from fedtui.wire.invite import Invite

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(120)]
PROGRAM = str(Path(sys.executable).parent / "fedtui-coordinator")


@dataclass
class House:
    """A coordinator's process, its nodes and its screens; `close` ends them all."""

    layout: Layout
    environment: dict[str, str]
    terminals: list[ATerminal] = field(default_factory=list)
    nodes: list[ThinNode] = field(default_factory=list)
    server: subprocess.Popen[bytes] | None = None

    async def serve(self) -> None:
        self.start()
        await until(lambda: adminclient.is_running(self.layout))

    def start(self) -> None:
        self.server = subprocess.Popen(
            [PROGRAM, "serve", "--dir", str(self.layout.root)],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    async def stop(self) -> None:
        assert self.server is not None
        self.server.send_signal(signal.SIGTERM)
        await asyncio.to_thread(self.server.wait, 30)

    def status(self) -> Status:
        return adminclient.ask(self.layout, AskStatus(), Status)

    async def node(self, number: int, *, auto: bool) -> ThinNode:
        """A node that dials, with an invite of its own."""
        ask = AskInvite(auto_approve=auto)
        made = await asyncio.to_thread(adminclient.ask, self.layout, ask, MadeInvite)
        invite = Invite.parse(made.invite)
        node = ThinNode(number, trains_s=3600)
        port = int(self.status().address.rpartition(":")[2])
        node.dial(port, invite.coordinator_id, invite)
        self.nodes.append(node)
        return node

    def watch(self, size: tuple[int, int] = (120, 36), *options: str, **more: str) -> ATerminal:
        columns, rows = size
        argv = [PROGRAM, "watch", "--dir", str(self.layout.root), *options]
        found = ATerminal(argv, self.environment | more, columns=columns, rows=rows)
        self.terminals.append(found)
        return found

    async def close(self) -> None:
        for terminal in self.terminals:
            await terminal.close()
        for node in self.nodes:
            await node.stop()
        if self.server is not None and self.server.poll() is None:
            await self.stop()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment = kept | {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
    found = House(make(tmp_path / "f"), environment)
    await found.serve()
    yield found
    await found.close()


async def test_a_node_that_asks_is_let_in_with_the_words_that_it_shows_itself(
    house: House,
) -> None:
    asks = await house.node(1, auto=False)
    terminal = house.watch()
    await terminal.until("1 asks to join")
    terminal.type("a")
    await terminal.until("Let this node in?")
    await terminal.until(" ".join(words(asks.identity.id)))
    shown = re.search(r"fingerprint\s+(\S+)", terminal.text)
    assert shown is not None
    assert asks.identity.id.startswith(parse_fingerprint(shown[1]))
    terminal.type("\r")
    await terminal.until(lambda text: "Let this node in?" not in text)
    assert not asks.enrolled, "Enter alone is Cancel"
    terminal.type("a")
    await terminal.until("Let this node in?")
    terminal.type("\t\r")
    await until(lambda: asks.enrolled)
    await terminal.until("n1 was approved")
    assert short_id(asks.identity.id) not in terminal.text.split("Events")[0]


async def test_it_follows_the_coordinator_through_a_restart(house: House) -> None:
    for number in (1, 2):
        await house.node(number, auto=True)
    terminal = house.watch()
    await terminal.until(lambda text: text.count("train") >= 2)
    await terminal.until("awaits")
    await house.stop()
    await terminal.until("connection lost; numbers are from ")
    await terminal.until("reattaching...")
    await house.serve()
    await terminal.until(lambda text: "connection lost" not in text)
    assert b"Traceback" not in terminal.raw


async def test_not_a_byte_when_nothing_happens(house: House) -> None:
    terminal = house.watch()
    await terminal.until("WAITING")
    await terminal.until("no node came yet")
    await terminal.until(lambda text: "words: " in text)  # made a moment after the first start
    await terminal.quiet(1.0)
    assert await terminal.quiet(4.0) == 0
    terminal.type("P")
    await terminal.until("paused: P goes on")


def fills_it(text: str) -> bool:
    """The first line is on top and the footer at the bottom, as after a change of size only."""
    lines = text.splitlines()
    return "WAITING" in lines[0] and "q Detach" in lines[-1]


async def test_every_size_detach_and_two_screens(house: House) -> None:
    await house.node(1, auto=True)
    one, two = house.watch(), house.watch((40, 12))
    for terminal in (one, two):
        await terminal.until("n1")
    for columns, rows in ((80, 24), (60, 18), (40, 12), (20, 6), (120, 36)):
        one.resize(columns, rows)
        await one.until(fills_it)
    await one.until("Round health")
    one.type("q")
    assert await one.ended() == 0
    two.type("\x03")
    assert await two.ended() == 0
    assert house.status().running, "a screen that goes leaves the coordinator alone"


async def test_a_window_that_was_small_for_a_moment_shows_all_again(house: House) -> None:
    terminal = house.watch()
    await terminal.until("words: ")  # made a moment after the first start
    await terminal.small_for_a_moment()
    await terminal.until("Round health")
    await terminal.until("q Detach")


async def test_hang_up_and_kill_leave_the_coordinator_alone(house: House) -> None:
    one, two = house.watch(), house.watch()
    for terminal in (one, two):
        await terminal.until("WAITING")
    one.hang_up()
    await one.ended()
    two.signal(signal.SIGKILL)
    await two.ended()
    assert house.status().running


@pytest.mark.parametrize("more", [{"NO_COLOR": "1"}, {"FEDTUI_THEME": "light"}, {"TERM": "linux"}])
async def test_other_terminals(house: House, more: dict[str, str]) -> None:
    terminal = house.watch((80, 24), **more)
    await terminal.until("WAITING")
    await terminal.until("q Detach")
    if "NO_COLOR" in more:
        colours = set(re.findall(rb"[34]8;2;(\d+);(\d+);(\d+)", bytes(terminal.raw)))
        assert all(red == green == blue for red, green, blue in colours), "grey only"


async def test_an_invite_can_be_copied_through_the_terminal(house: House) -> None:
    terminal = house.watch()
    await terminal.until("WAITING")
    terminal.type("i")
    await terminal.until("New invite")
    terminal.type("\t\r")
    await terminal.until("fedtui1:")
    terminal.type("y")
    await terminal.until_raw(b"\x1b]52;c;")


async def test_plain_lines_for_pipes(house: House) -> None:
    argv = [PROGRAM, "watch", "--dir", str(house.layout.root)]
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, env=house.environment
    )
    assert process.stdout is not None
    said = []
    node = await house.node(1, auto=False)
    while not any("asks to join" in line and "words" in line for line in said):
        said.append((await process.stdout.readline()).decode())
    assert "test: waiting for nodes" in said[0]
    assert " ".join(words(node.identity.id)) in said[-1]
    assert all(line.isprintable() for line in map(str.rstrip, said))
    assert not set("".join(said)) & set("╭╮╰╯│─\x1b")
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 130


def test_without_a_coordinator_it_says_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run(
        [PROGRAM, "watch", "--dir", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 6
    assert "start it with 'fedtui-coordinator serve" in done.stderr
