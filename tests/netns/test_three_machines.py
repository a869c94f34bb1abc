"""The README's three-machine section, typed by a test on three machines."""

import json
import os
import pty
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"<!-- machine: ([\w-]+) -->\n```console\n(.*?)```", re.DOTALL)


def commands_of(readme: str) -> list[tuple[str, str]]:
    """(machine, command) in the order in which a reader types them."""
    return [
        (machine, line.removeprefix("$ "))
        for machine, block in BLOCK.findall(readme)
        for line in block.splitlines()
    ]


def answer_at_a_terminal(machine: Any, command: str) -> str:
    """Run a command on a terminal and say yes when it asks; what was on the screen."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        machine.argv(command),
        cwd=machine.home,
        env=machine.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    screen = ""
    while True:
        try:
            screen += os.read(ours, 4096).decode(errors="replace")
        except OSError:  # the other end of the terminal is closed
            break
        if screen.rstrip().endswith("[y/N]:") and "yes!" not in screen:
            os.write(ours, b"y\n")
            screen += " yes!\n"
    os.close(ours)
    assert process.wait() == 0, screen
    return screen


def wait_for_the_end(machine: Any) -> dict[str, Any]:
    while True:
        status = json.loads(machine.run("fedtui-coordinator status --dir fed --json"))
        if status["ended"]:
            return dict(status)
        time.sleep(0.5)


@pytest.mark.netns
@pytest.mark.timeout(400)
def test_the_readme_works_on_three_machines(lan: dict[str, Any]) -> None:
    fingerprints: dict[str, str] = {}
    screens: list[str] = []
    status: dict[str, Any] = {}
    for name, text in commands_of(README.read_text()):
        machine = lan[name]
        command = re.sub(
            r"FINGERPRINT-OF-([\w-]+)", lambda m: fingerprints[m.group(1).lower()], text
        )
        if command.endswith("&"):
            machine.serve(command)
        elif command.startswith("fedtui join"):
            invite, label = re.findall(r"--(?:invite-file|label) (\S+)", command)
            if name != "server":
                shutil.copy(lan["server"].home / invite, machine.home / invite)
            screen = answer_at_a_terminal(machine, command)
            found = re.search(r"fingerprint\s+([A-Z2-7-]{39})", screen)
            assert found, screen
            fingerprints[label] = found.group(1)
        else:
            if command.startswith("fedtui status"):
                status = wait_for_the_end(lan["server"])
            screens.append(machine.run(command))
    assert len(fingerprints) == 3
    assert "target reached" in status["ended"]
    assert {round_["participants"] for round_ in status["rounds"] if round_["round"]} == {3}
    everything = "\n".join(screens)
    assert "updates are masked" in everything
    assert "update and training sums" in everything
    assert all(fingerprint in everything for fingerprint in fingerprints.values())
    assert (lan["server"].home / "model" / "model.safetensors").exists()
