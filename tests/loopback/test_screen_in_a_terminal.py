"""The screen as people use it: the real program in a real terminal, on a real node.

The node here is idle, in no federation; test_screen_and_rounds.py has one that works.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psutil
import pytest
from a_terminal import ATerminal

from fedtui.control.client import ControlClient
from fedtui.control.recording import Recorder
from fedtui.status import NodeStatus

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(120)]
FEDTUI = str(Path(sys.executable).parent / "fedtui")
SIZES = [(120, 36), (80, 24), (60, 18), (40, 12)]
Open = Callable[..., Awaitable[ATerminal]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    run = tmp_path / "run"
    run.mkdir(mode=0o700)
    profile = tmp_path / "home" / "default"
    profile.mkdir(mode=0o700, parents=True)
    (profile / "screen.toml").write_text("detach_asks = false\n")
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    return kept | {
        "FEDTUI_HOME": str(tmp_path / "home"),
        "XDG_RUNTIME_DIR": str(run),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
    }


@pytest.fixture
async def screen(environment: dict[str, str]) -> AsyncIterator[Open]:
    """Opens the screen; the first one starts the node. Everything is ended afterwards."""
    opened: list[ATerminal] = []

    async def begin(*options: str, size: tuple[int, int] = (80, 24), **more: str) -> ATerminal:
        columns, rows = size
        argv = [FEDTUI, *options]
        found = ATerminal(argv, environment | more, columns=columns, rows=rows)
        opened.append(found)
        return found

    yield begin
    for one in opened:
        await one.close()
    run(environment, "stop")


def run(environment: dict[str, str], command: str) -> None:
    subprocess.run([FEDTUI, command], env=environment, capture_output=True, check=False)


def control(environment: dict[str, str]) -> ControlClient:
    note = Path(environment["FEDTUI_HOME"]) / "default" / "node.socket"
    return ControlClient(Path(note.read_text().strip()))


async def test_fedtui_alone_starts_the_node_and_offers_to_join(
    screen: Open, environment: dict[str, str]
) -> None:
    terminal = await screen()
    await terminal.until("IDLE")
    await terminal.until(lambda text: "Join" in text and "Detach" in text)
    assert (await control(environment).status()).state == "idle"


async def test_detach_leaves_the_node_working_and_says_so(
    screen: Open, environment: dict[str, str]
) -> None:
    terminal = await screen()
    await terminal.until("IDLE")
    pid = (await control(environment).status()).pid
    terminal.type("q")
    assert await terminal.ended() == 0
    assert b"keeps working" in terminal.raw
    assert str(pid).encode() in terminal.raw
    assert (await control(environment).status()).pid == pid


async def test_the_first_time_it_says_that_the_node_keeps_working(
    screen: Open, environment: dict[str, str]
) -> None:
    (Path(environment["FEDTUI_HOME"]) / "default" / "screen.toml").unlink()
    terminal = await screen()
    await terminal.until("IDLE")
    terminal.type("q")
    await terminal.until("Keep the node running?")
    terminal.type("\x1b")
    await terminal.until(lambda text: "Keep the node" not in text)
    assert (await control(environment).status()).state == "idle"


async def test_attached_again_it_shows_the_same_node(
    screen: Open, environment: dict[str, str]
) -> None:
    first = await screen()
    await first.until("IDLE")
    first.type("q")
    await first.ended()
    again = await screen()
    await again.until("IDLE")
    assert b"Traceback" not in again.raw


async def test_a_broken_connection_comes_back_to_the_same_place(
    screen: Open, environment: dict[str, str]
) -> None:
    last = Path(environment["FEDTUI_HOME"]) / "default" / "screen.last"
    first = await screen()
    await first.until("IDLE")
    first.type("7")
    await first.until("source all")
    first.type("/")
    await first.until("Enter keeps")
    first.type("moon\r")
    while "moon" not in (last.read_text() if last.exists() else ""):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    first.hang_up()
    await first.ended()
    again = await screen()
    await again.until("source all")
    await again.until(lambda text: text.count("moon") == 2)  # in the bar, and beside the levels


async def test_two_screens_watch_one_node(screen: Open) -> None:
    one = await screen()
    await one.until("IDLE")
    other = await screen()
    await other.until("IDLE")
    one.type("q")
    await one.ended()
    other.type("?")
    await other.until("Help")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
async def test_it_can_be_used_at_every_size(screen: Open, size: tuple[int, int]) -> None:
    terminal = await screen(size=size)
    await terminal.until("IDLE")
    await terminal.until("Detach")
    terminal.type("q")
    assert await terminal.ended() == 0


async def test_a_storm_of_resizes_ends_in_the_last_size(screen: Open) -> None:
    terminal = await screen()
    await terminal.until("IDLE")
    for number in range(50):
        columns, rows = SIZES[number % len(SIZES)]
        terminal.resize(columns, rows)
        terminal.signal(signal.SIGWINCH)
        await asyncio.sleep(0.05)
    terminal.resize(100, 30)
    terminal.signal(signal.SIGWINCH)
    await terminal.until(lambda text: "IDLE" in text and "Detach" in text.splitlines()[-1])
    terminal.type("q")
    assert await terminal.ended() == 0


async def test_a_window_that_was_small_for_a_moment_shows_all_again(screen: Open) -> None:
    terminal = await screen()
    await terminal.until("Detach")
    await terminal.small_for_a_moment()
    await terminal.until(lambda text: "IDLE" in text and "Detach" in text.splitlines()[-1])


async def test_every_digit_is_a_screen_and_the_palette_has_every_command(screen: Open) -> None:
    terminal = await screen()
    await terminal.until("IDLE")
    for digit in "7654321":
        terminal.type(digit)
        await terminal.until("IDLE")
    terminal.type("\x10")
    await terminal.until("Go to Training")
    terminal.type("join")
    await terminal.until("Join a federation")
    terminal.type("\x1b")
    await terminal.until(lambda text: "Search" not in text)


async def test_an_idle_screen_writes_not_a_byte(screen: Open) -> None:
    terminal = await screen()
    await terminal.until("IDLE")
    await terminal.until("Detach")
    await asyncio.sleep(2)  # toasts and first sizes are done
    assert await terminal.quiet(4) == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
async def test_a_killed_screen_does_not_touch_the_node(
    screen: Open, environment: dict[str, str], number: signal.Signals
) -> None:
    terminal = await screen()
    await terminal.until("IDLE")
    before = await control(environment).status()
    terminal.signal(number)
    await terminal.ended()
    after = await control(environment).status()
    assert (after.pid, after.state) == (before.pid, before.state)


async def test_a_closed_terminal_ends_the_screen_and_not_the_node(
    screen: Open, environment: dict[str, str]
) -> None:
    terminal = await screen()
    await terminal.until("IDLE")
    terminal.hang_up()
    await terminal.ended()
    assert (await control(environment).status()).state == "idle"


async def test_a_terminal_that_is_not_read_does_not_touch_the_node(
    screen: Open, environment: dict[str, str]
) -> None:
    terminal = await screen()
    await terminal.until("IDLE")
    terminal.stall()
    for number in range(200):  # more than a terminal's buffer holds
        terminal.type("234567"[number % 6])
        await asyncio.sleep(0.01)
    assert (await control(environment).status()).state == "idle"
    terminal.drain()
    await terminal.until("IDLE")


async def test_ctrl_z_suspends_the_screen_only(screen: Open, environment: dict[str, str]) -> None:
    terminal = await screen()
    await terminal.until("IDLE")
    terminal.type("\x1a")
    await _stopped(terminal.pid)
    assert (await control(environment).status()).state == "idle"
    terminal.signal(signal.SIGCONT)
    terminal.type("?")
    await terminal.until("Help")


async def test_the_screen_says_that_the_node_is_gone_and_finds_it_again(
    screen: Open, environment: dict[str, str]
) -> None:
    terminal = await screen()
    await terminal.until("IDLE")
    pid = (await control(environment).status()).pid
    os.kill(pid, signal.SIGKILL)
    await terminal.until("node connection lost")
    run(environment, "node")
    await terminal.until(lambda text: "IDLE" in text and "lost" not in text)


@pytest.mark.parametrize("wish", [{"NO_COLOR": "1"}, {"FEDTUI_GLYPHS": "ascii"}])
async def test_without_colours_and_without_braille(screen: Open, wish: dict[str, str]) -> None:
    terminal = await screen(**wish)
    await terminal.until("IDLE")
    await terminal.until("Detach")
    if "NO_COLOR" in wish:
        assert b"\x1b[38;2;255;140;105" not in terminal.raw
    else:
        marks = [letter for letter in terminal.text if "\u2800" <= letter <= "\u28ff"]
        assert marks == []


async def test_a_dumb_terminal_gets_plain_lines(screen: Open, environment: dict[str, str]) -> None:
    terminal = await screen("watch", TERM="dumb")
    await terminal.until("idle: not in a federation")
    assert b"\x1b" not in terminal.raw


async def test_a_socket_where_nobody_answers_is_said_before_a_screen_is_drawn(
    screen: Open, tmp_path: Path
) -> None:
    terminal = await screen("watch", "--socket", str(tmp_path / "nobody"))
    assert await terminal.ended() == 6
    assert b"no node is running" in terminal.raw


async def test_a_recording_is_shown_and_leaves_the_place_of_the_nodes_screen_alone(
    screen: Open, environment: dict[str, str], tmp_path: Path
) -> None:
    recorder, path = Recorder(), tmp_path / "recording"
    path.write_bytes(
        b"".join(recorder.line(NodeStatus(seq=at, label=f"at-{at}"), at) for at in (1, 2))
    )
    terminal = await screen("watch", "--replay", str(path))
    await terminal.until("at-2")
    terminal.type("7")
    await terminal.until("source all")
    terminal.type("q")
    assert await terminal.ended() == 0
    assert not (Path(environment["FEDTUI_HOME"]) / "default" / "screen.last").exists()


async def test_copying_goes_through_the_terminal(screen: Open) -> None:
    terminal = await screen()
    await terminal.until("IDLE")
    before = len(terminal.raw)
    terminal.type("\t")
    terminal.type("y")
    await terminal.until_raw(b"\x1b]52;c;", after=before)


def test_plain_lines_go_through_a_pipe(environment: dict[str, str]) -> None:
    run(environment, "node")
    try:
        with subprocess.Popen(
            [FEDTUI, "watch"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as watching:
            assert watching.stdout is not None
            line = watching.stdout.readline().decode()
            watching.terminate()
    finally:
        run(environment, "stop")
    assert line == "idle: not in a federation: fedtui join\n"


@pytest.mark.parametrize("is_damaged", [False, True])
def test_a_recording_is_told_as_lines_or_not_at_all(
    environment: dict[str, str], tmp_path: Path, is_damaged: bool
) -> None:
    recorder, path = Recorder(), tmp_path / "recording"
    path.write_bytes(
        b"".join(recorder.line(NodeStatus(seq=at), at) for at in (1, 2))
        + (b"{}no line\n" if is_damaged else b"")
    )
    told = subprocess.run(
        [FEDTUI, "watch", "--plain", "--replay", str(path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == (65 if is_damaged else 0)
    assert bool(told.stdout) is not is_damaged
    assert ("no line of a recording" in told.stderr) is is_damaged


async def _stopped(pid: int) -> None:
    """Wait until the process is stopped by a signal, which nobody tells."""
    while psutil.Process(pid).status() != psutil.STATUS_STOPPED:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
