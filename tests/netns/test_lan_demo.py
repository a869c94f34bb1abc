"""docs/lan-demo.md, typed on three machines: its commands in shells, its keys on real screens."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from a_terminal import ATerminal

DOCUMENT = (Path(__file__).parents[2] / "docs" / "lan-demo.md").read_text()
BLOCK = re.compile(r"<!-- machine: ([\w -]+) -->\n```console\n(.*?)```", re.DOTALL)
ROW = re.compile(r"^\| (`.*?) \| (.*?) \|$", re.MULTILINE)
FINGERPRINT = re.compile(r"[A-Z2-7]{4}(?:-[A-Z2-7]{4}){7}")
PLACE = re.compile(r"word (\d) of 6")
HANGS_S = 60.0  # a guard, so that a missing screen is shown
IP = str(shutil.which("ip"))


def commands() -> list[tuple[str, str]]:
    """(machines, command) in the order in which a reader types them."""
    return [
        (machines, line.removeprefix("$ "))
        for machines, block in BLOCK.findall(DOCUMENT)
        for line in block.splitlines()
    ]


def keys() -> list[tuple[str, str]]:
    """(what the screen says, what is pressed), by the table of the document."""
    return [(re.findall("`([^`]+)`", says)[0], press) for says, press in ROW.findall(DOCUMENT)]


@pytest.fixture
async def screens() -> AsyncIterator[dict[str, ATerminal]]:
    opened: dict[str, ATerminal] = {}
    yield opened
    for one in opened.values():
        await one.close()


def open_screen(machine: Any) -> ATerminal:
    argv = [IP, "netns", "exec", machine.namespace, "env", "-C", str(machine.home), "fedtui"]
    environment = machine.environment | {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
    return ATerminal(argv, environment, columns=100, rows=40)


async def shown(terminal: ATerminal, says: str) -> None:
    """Wait for a text; what the screen shows instead is told when it does not come."""
    try:
        async with asyncio.timeout(HANGS_S):
            await terminal.until(says)
    except TimeoutError:
        pytest.fail(f"no {says!r} on the screen:\n{terminal.text}")


async def join(terminal: ATerminal, words: list[str], theirs: str) -> str:
    """Follow the table; the node's fingerprint as its screen shows it beside `theirs`."""

    def own(text: str) -> set[str]:
        return {*FINGERPRINT.findall(text)} - {theirs}

    for says, press in keys():
        await shown(terminal, says)
        if "two words" in press:
            await terminal.until(lambda text: len(PLACE.findall(text)) == 2)
            for place in PLACE.findall(terminal.text):
                terminal.type(words[int(place) - 1] + "\r")
            continue
        if says.startswith("1/6"):
            await terminal.until("10.77.0.1:8443")
        if says.startswith("6/6"):
            await terminal.until(lambda text: len(own(text)) == 1)
            found = own(terminal.text)
        for key in re.findall("`([^`]+)`", press):
            terminal.type("\r" if key == "Enter" else key)
    return found.pop()


async def ended(machine: Any) -> dict[str, Any]:
    command = "fedtui-coordinator status --dir fed --json"
    while True:
        status = json.loads(await asyncio.to_thread(machine.run, command))
        if status["ended"] or len([r for r in status["rounds"] if r["round"]]) >= 2:
            return dict(status)
        await asyncio.sleep(0.5)


@pytest.mark.netns
@pytest.mark.timeout(400)
async def test_D1_the_demo_on_a_lan_works_as_it_is_written(
    lan: dict[str, Any], screens: dict[str, ATerminal]
) -> None:
    fingerprints: dict[str, str] = {}
    words: list[str] = []
    theirs = printed = ""
    for machines, text in commands():
        if text == "fedtui":
            for name in machines.split():
                screens[name] = open_screen(lan[name])
                fingerprints[name] = await join(screens[name], words, theirs)
            continue
        command = re.sub(
            r"FINGERPRINT-OF-([\w-]+)", lambda found: fingerprints[found[1].lower()], text
        )
        machine = lan[machines]
        if command.endswith("&"):
            await asyncio.to_thread(machine.serve, command)
            continue
        if "status" in command:
            status = await ended(machine)
            assert {r["participants"] for r in status["rounds"] if r["round"]} == {3}
            for screen in screens.values():
                await screen.until(lambda text: "masked" in text and "round" in text)
        printed += await asyncio.to_thread(machine.run, command)
        if "key show" in command:
            words, theirs = _words(printed), FINGERPRINT.findall(printed)[-1]
    assert len(set(fingerprints.values())) == 3
    assert all(fingerprint in printed for fingerprint in fingerprints.values())
    assert "updates are masked" in printed
    assert (lan["server"].home / "model" / "model.safetensors").exists()


def _words(printed: str) -> list[str]:
    """The six words of `key show`."""
    found = re.search(r"in words\s+((?:[a-z]+ ){5}[a-z]+)", printed)
    assert found, printed
    return found[1].split()
