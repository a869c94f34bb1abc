"""Late updates that count, under masks, as real programs: a workstation that stands still.

The trainer of one of five nodes is stopped as a round begins, as if its machine were busy; the
others go on by three. Two rounds later it may go on, and hands in what it began.
"""

import json
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fedtui.demo.federation import LocalFederation, NodeSpec
from fedtui.demo.programs import Programs

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(300)]

NODES, WANTED, ROUNDS = 5, 3, 10
SLOW, PASSED = "node-4", 2
PLAN = f"""\
seed = 3
[federation]
name = "buffered"
[task]
name = "digits"
[strategy]
name = "fedbuff"
[training]
batch_size = 16
epochs = 3
[selection]
count = {WANTED}
minimum = {WANTED}
[rounds]
start_with = {NODES}
maximum = {ROUNDS}
[deadlines]
rejoin_s = 0.5
late = "buffer"
share_s = 10.0
mask_s = 10.0
max_staleness = 8
[privacy]
minimum = {WANTED}
colluders = 1
"""


@pytest.fixture
async def federation(scratch: Path) -> AsyncIterator[LocalFederation]:
    (scratch / "run").mkdir(mode=0o700)
    home = {"FEDTUI_HOME": str(scratch / "nodes"), "XDG_RUNTIME_DIR": str(scratch / "run")}
    programs = Programs(scratch, home)
    specs = tuple(
        NodeSpec(label=f"node-{place}", shard=f"{place}/{NODES}") for place in range(NODES)
    )
    found = LocalFederation(programs, PLAN, specs)
    try:
        await found.start()
        yield found
    finally:
        await programs.stop()


def trainers_of(daemon: int) -> list[int]:
    """The trainer processes below a node's daemon."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            words = (folder / "cmdline").read_bytes()
        except OSError:  # gone meanwhile
            continue
        if parent == daemon and b"node.trainer_child" in words:
            found.append(int(folder.name))
    return found


async def test_what_a_slow_node_began_counts_in_a_later_round(
    federation: LocalFederation,
) -> None:
    stopped: list[int] = []
    began = done = 0
    async for told in federation.follow():
        if told["event"] == "round started" and not stopped:
            began = told["round"]
            stopped = trainers_of(federation.programs.started[SLOW].process.pid)
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
        if told["event"] == "round finished":
            done = told["round"]
            if done == began + PASSED:
                for pid in stopped:
                    os.kill(pid, signal.SIGCONT)
        ended = told["event"] == "status" and told["status"]["ended"]
        if told["event"] == "ended" or ended:
            break
    assert stopped, "there was no trainer to stop"
    assert done == ROUNDS
    status = await federation.status()
    assert all(line["participants"] >= WANTED for line in status["rounds"])
    ledger = json.loads(
        await federation.programs.run("fedtui", "--profile", SLOW, "ledger", "--json")
    )
    late = [
        (int(found[1]), entry["round"])
        for entry in ledger
        if (found := re.search(r"trained in round (\d+)", entry["what"]))
    ]
    assert any(base <= began and counted > began + PASSED for base, counted in late), ledger
