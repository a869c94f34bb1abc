"""The screen in one terminal after the other: what each says it sends for a key is understood.

The kind of terminal is a name (TERM) whose key codes come from the terminfo database, on a
pseudo-terminal; tmux, GNU screen and mosh are the real programs around it. Not tried here, for
they need another machine or a window: Windows Terminal, macOS Terminal, VS Code, a real console.
"""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from a_terminal import ATerminal
from programs import BIN

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(60)]
FEDTUI = str(BIN / "fedtui")
KINDS = ["xterm-256color", "linux", "vt100", "screen", "tmux-256color", "rxvt-unicode-256color"]
KEYS = {"f1": "kf1", "left": "kcub1", "right": "kcuf1", "back tab": "kcbt"}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Of one idle node, which runs for all tests here."""
    folder = tmp_path_factory.mktemp("t")
    (folder / "run").mkdir(mode=0o700)
    profile = folder / "home" / "default"
    profile.mkdir(mode=0o700, parents=True)
    (profile / "screen.toml").write_text('detach_asks = false\nscreen = "overview"\n')
    kept = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "TMUX", "STY"}}
    found = kept | {
        "FEDTUI_HOME": str(folder / "home"),
        "XDG_RUNTIME_DIR": str(folder / "run"),
        "SCREENDIR": str(folder / "run"),
        "SHELL": "/bin/sh",
        "LANG": "C.UTF-8",
    }
    subprocess.run([FEDTUI, "node"], env=found, check=True, capture_output=True)
    yield found
    subprocess.run([FEDTUI, "stop"], env=found, check=False, capture_output=True)


def codes(kind: str) -> dict[str, str]:
    """What such a terminal sends, as the terminfo database has it; what it lacks is left out."""
    told = {
        name: subprocess.run(
            ["tput", "-T", kind, capability], capture_output=True, text=True, check=False
        )
        for name, capability in KEYS.items()
    }
    return {name: one.stdout for name, one in told.items() if one.stdout}


async def used(terminal: ATerminal, keys: dict[str, str], *, in_screen: bool = False) -> None:
    """Go through digits, keys with codes, Escape and Ctrl+P; leave by q."""

    async def escape_until(gone: str) -> None:
        # GNU screen 4.9 passes an Escape on with the key after it, and that one a moment later
        terminal.type("\x1b\x1b" if in_screen else "\x1b")
        await terminal.until(lambda text: gone not in text)
        await terminal.quiet(0.5 if in_screen else 0)

    await terminal.until(lambda text: "IDLE" in text and "Detach" in text)
    terminal.type("7")
    await terminal.until("source all")
    terminal.type(keys.get("f1", "?"))
    await terminal.until("all commands")
    await escape_until("all commands")
    terminal.type(",")
    await terminal.until("[dark]")
    terminal.type(keys.get("right", "\x1b[C"))
    await terminal.until("[light]")
    terminal.type(keys.get("left", "\x1b[D"))
    await terminal.until("[dark]")
    await escape_until("graph symbols")
    terminal.type("\x10")
    await terminal.until("Go to Training")
    terminal.type("go to overview")
    await terminal.until(lambda text: "Go to Overview" in text and "Go to Training" not in text)
    terminal.type("\r")
    await terminal.until("6 Federation")
    terminal.type("q")


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_of_terminal(environment: dict[str, str], kind: str) -> None:
    if shutil.which("tput") is None or not codes(kind):
        pytest.skip(f"the terminfo database here does not know {kind} (Debian: ncurses-term)")
    terminal = ATerminal([FEDTUI], environment | {"TERM": kind}, columns=100, rows=30)
    try:
        await used(terminal, codes(kind))
        assert await terminal.ended() == 0
        assert b"Traceback" not in terminal.raw
        if kind == "linux":
            assert not re.search("[\u2800-\u28ff]", terminal.raw.decode(errors="replace"))
    finally:
        await terminal.close()


@pytest.fixture
async def around(
    request: pytest.FixtureRequest, environment: dict[str, str], tmp_path: Path
) -> AsyncIterator[ATerminal]:
    """The screen inside the program that the test is about."""
    program = request.param
    needed = {"mosh": "mosh-server"}.get(program, program)
    if shutil.which(needed) is None:
        pytest.skip(f"{program} is not installed")
    inside = [FEDTUI]
    here = environment | {"TERM": "xterm-256color"}
    end: list[str] = []
    if program == "tmux":
        end = ["tmux", "-S", str(tmp_path / "tmux"), "kill-server"]
        argv = ["-S", str(tmp_path / "tmux"), "-f", os.devnull, "-u", "new-session", *inside]
    elif program == "screen":
        end = ["screen", "-S", "t", "-X", "quit"]
        (tmp_path / "rc").write_text("maptimeout 0\n")
        argv = ["-c", str(tmp_path / "rc"), "-U", "-S", "t", *inside]
    else:
        asked = ["mosh-server", "new", "-i", "127.0.0.1", "-l", "LANG=C.UTF-8", "--", *inside]
        told = await asyncio.to_thread(
            subprocess.run, asked, env=here, capture_output=True, text=True, check=True
        )
        port, key = re.search(r"MOSH CONNECT (\d+) (\S+)", told.stdout).groups()
        end = ["kill", re.search(r"pid = (\d+)", told.stderr)[1]]
        here |= {"MOSH_KEY": key}
        argv = ["127.0.0.1", port]
    path = shutil.which({"mosh": "mosh-client"}.get(program, program))
    found = ATerminal([str(path), *argv], here, columns=100, rows=30)
    yield found
    await found.close()
    await asyncio.to_thread(subprocess.run, end, env=environment, capture_output=True)


@pytest.mark.parametrize("around", ["tmux", "screen", "mosh"], indirect=True)
async def test_inside_of_another_program(
    around: ATerminal, request: pytest.FixtureRequest
) -> None:
    await used(around, {}, in_screen="screen]" in request.node.name)
    await around.ended()
