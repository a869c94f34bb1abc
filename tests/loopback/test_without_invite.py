"""Joining without an invite, by the public commands: found, verified, pending, approved."""

import asyncio
import json
import os
import pty
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from programs import BIN, Federation

from fedtui.control.client import ControlClient
from fedtui.status import NodeStatus
from fedtui.status.wordcheck import WordCheck

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Federation:
    return Federation(tmp_path_factory.mktemp("template"), nodes=2, rounds=2).init()


@pytest.fixture
def federation(template: Federation, tmp_path: Path) -> Iterator[Federation]:
    found = template.copy(tmp_path / "f")
    yield found
    found.close()


def greeted(federation: Federation) -> tuple[str, str, list[str]]:
    """Address, fingerprint and words, as the coordinator's operator reads them on their screen."""
    text = (federation.folder / "coordinator.log").read_text()
    found = re.search(r"listening on (\S+), fingerprint (\S+) \((.*)\)", text)
    assert found, text
    return found[1], found[2], found[3].split()


def nodes(federation: Federation) -> list[dict[str, object]]:
    done = federation.coordinator("nodes", "list", "--json")
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def at_a_terminal(federation: Federation, *arguments: str, answers: dict[str, str]) -> str:
    """Run a command on a terminal; answer each prompt that ends with a key of `answers`."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [BIN / "fedtui", *arguments],
        env=federation.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    screen, waiting = "", dict(answers)
    while True:
        try:
            screen += os.read(ours, 4096).decode(errors="replace")
        except OSError:  # the other end of the terminal is closed
            break
        for prompt in [p for p in waiting if screen.rstrip().endswith(p)]:
            os.write(ours, f"{waiting.pop(prompt)}\n".encode())
    os.close(ours)
    assert process.wait() == 0, screen
    return screen


def test_E1_a_node_joins_by_address_and_fingerprint_and_waits_for_approval(
    federation: Federation,
) -> None:
    federation.serve("--announce")
    address, print_, _ = greeted(federation)
    done = federation.fedtui(
        "a",
        *("join", "--at", address, "--fingerprint", print_, "--task-file", str(federation.task)),
        *("--label", "a", "--accept", federation.plan_hash, "--visible", "--json"),
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["state"] == "pending"
    assert seen["coordinator"]["fingerprint"] == print_
    (waiting,) = nodes(federation)
    assert (waiting["state"], waiting["invite"]) == ("pending", None)
    assert waiting["fingerprint"] == seen["fingerprint"]
    assert "(no invite)" in federation.coordinator("nodes").stdout
    let_in = federation.coordinator("nodes", "approve", str(waiting["fingerprint"]))
    assert let_in.returncode == 0, let_in.stderr
    federation.until(lambda: federation.status("a").get("state") == "waiting")
    verified = federation.coordinator("audit", "verify")
    assert verified.returncode == 0, verified.stderr


QUESTION = ("a coordinator of ", "Is it the right one?", "(or its whole fingerprint)")
"""What the lines of the question begin with; some of its own words are in the list of words."""


def test_two_words_of_the_other_screen_are_typed_at_a_terminal(federation: Federation) -> None:
    federation.serve("--announce")
    address, print_, words = greeted(federation)
    assert "nodes without an invite may ask" in (federation.folder / "coordinator.log").read_text()
    answers = {f"word {number}:": word for number, word in enumerate(words, start=1)}
    screen = at_a_terminal(
        federation,
        *("--profile", "b", "join", "--at", address, "--task-file", str(federation.task)),
        *("--visible",),
        answers=answers | {"[y/N]:": "y"},
    )
    assert print_ in screen
    asked = [int(number) for number in re.findall(r"word (\d):", screen)]
    assert len(set(asked)) == 2
    before = screen[: screen.index(f"word {asked[-1]}:")].splitlines()
    more = [line for line in before if not line.startswith((*QUESTION, f"word {asked[0]}:"))]
    shown = re.findall(r"\w+", " ".join(more))
    assert words[asked[-1] - 1] not in shown, "our words are hidden until they are typed"
    assert [node["state"] for node in nodes(federation)] == ["pending"]


def test_D2_a_probe_leaves_no_trace_of_the_node(federation: Federation) -> None:
    federation.serve("--announce")
    address, print_, _ = greeted(federation)
    other = ("AAAA-" * 8).rstrip("-")
    done = federation.fedtui("c", "join", "--at", address, "--fingerprint", other, "--yes")
    assert done.returncode == 9, done.stderr
    assert print_ in done.stderr
    assert "Nothing was sent" in done.stderr
    assert nodes(federation) == []
    profile = federation.folder / "nodes" / "c"
    assert not (profile / "identity.key").exists()
    assert not (profile / "node.toml").exists()


def test_E1_without_the_operator_s_word_nobody_comes_in_without_an_invite(
    federation: Federation,
) -> None:
    federation.serve()
    address, print_, _ = greeted(federation)
    done = federation.fedtui("d", "join", "--at", address, "--fingerprint", print_, "--yes")
    assert done.returncode == 8, done.stderr
    assert "ask the coordinator's operator for a new invite" in done.stderr
    assert nodes(federation) == []


def test_D1_an_announced_coordinator_is_found_on_this_machine(federation: Federation) -> None:
    federation.serve("--announce")
    address, print_, _ = greeted(federation)
    log = federation.folder / "coordinator.log"
    federation.until(lambda: "announced on the network" in log.read_text())
    done = federation.fedtui("e", "discover", "--seconds", "5", "--json")
    assert done.returncode == 0, done.stderr
    found = {one["address"]: one for one in json.loads(done.stdout)}
    assert found[address]["federation"] == "slow"
    assert found[address]["id_hint"] == print_.replace("-", "")[:16]
    assert found[address]["standing"] in {"new", "same name, other key"}


async def enter_by_the_screen(client: ControlClient, address: str, words: list[str]) -> NodeStatus:
    """What the join wizard does: probe, two words of the other screen, enter, agree."""
    probed = await client.probe(address)
    check = WordCheck.draw(probed.words, probed.fingerprint, lambda n: n - 1)
    assert check.type_words([words[position - 1] for position in check.positions])
    await client.join_at(probed.address, probed.coordinator_id)
    async for seen in client.watch():
        if seen.state == "asking" and seen.plan is not None:
            await client.consent(seen.plan.plan_hash)
        if seen.state == "pending":
            return seen
    raise AssertionError("the node ended")


def test_a_screen_brings_an_idle_node_in_by_its_daemon(federation: Federation) -> None:
    federation.serve("--announce")
    address, print_, words = greeted(federation)
    added = federation.fedtui("s", "task", "add", str(federation.task))
    assert added.returncode == 0, added.stderr
    config = federation.folder / "nodes" / "s" / "node.toml"
    config.write_text(
        config.read_text().replace("require_masked = true", "require_masked = false")
    )
    started = federation.fedtui("s", "node")
    assert started.returncode == 0, started.stderr
    (socket,) = (federation.folder / "run" / "fedtui").glob("s-*.sock")
    client = ControlClient(socket)
    assert address in [one.address for one in asyncio.run(client.discover())]
    assert nodes(federation) == []
    seen = asyncio.run(enter_by_the_screen(client, address, words))
    assert seen.coordinator is not None
    assert seen.coordinator.fingerprint == print_
    (waiting,) = nodes(federation)
    assert (waiting["fingerprint"], waiting["state"]) == (seen.fingerprint, "pending")
