"""A masked federation in groups of three under the median, as real programs: twelve nodes. One is
killed with -9 in mid-round (its group is lost, the others are the model), and so is the
coordinator after the survivors were chosen (its next life finishes all groups).
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fedtui.demo.federation import LocalFederation, NodeSpec
from fedtui.demo.programs import Programs

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(400)]

NODES, ROUNDS = 12, 5
PLAN = f"""\
seed = 3
[federation]
name = "grouped"
[task]
name = "digits"
[aggregator]
name = "median"
[training]
batch_size = 32
steps = 4
[selection]
minimum = {NODES}
[rounds]
start_with = {NODES}
maximum = {ROUNDS}
[deadlines]
rejoin_s = 0.5
[privacy]
group = 3
"""


@pytest.fixture
async def federation(scratch: Path) -> AsyncIterator[LocalFederation]:
    (scratch / "run").mkdir(mode=0o700)
    programs = Programs(
        scratch,
        {"FEDTUI_HOME": str(scratch / "nodes"), "XDG_RUNTIME_DIR": str(scratch / "run")},
    )
    specs = tuple(
        NodeSpec(label=f"node-{place}", shard=f"{place}/{NODES}") for place in range(NODES)
    )
    found = LocalFederation(programs, PLAN, specs)
    try:
        await found.start()
        yield found
    finally:
        await programs.stop()


async def kill(federation: LocalFederation, name: str) -> None:
    process = federation.programs.started[name].process
    process.kill()
    await process.wait()


async def test_it_goes_on_without_a_group_and_finishes_all_after_a_kill(
    federation: LocalFederation, scratch: Path
) -> None:
    left, number = [(2, "masking", "node-4"), (3, "voting", "coordinator")], 0
    async for told in federation.follow():
        number = told["round"] if told["event"] == "round started" else number
        if left and (number, told.get("phase")) == left[0][:2]:
            await kill(federation, left.pop(0)[2])
        ended = told["event"] == "status" and told["status"]["ended"]
        if told["event"] == "ended" or ended:
            break
    assert left == [], "the federation ended before both were killed"
    status = await federation.status()
    rounds = {line["round"]: line for line in status["rounds"]}
    assert max(rounds) == ROUNDS
    assert "in random groups of 3 nodes or more" in status["privacy"]
    assert {line["num_honest"] for line in rounds.values()} == {2}
    assert rounds[2]["participants"] == NODES - 3
    assert "node-4" in rounds[2]["lost"]
    assert {rounds[number]["participants"] for number in (1, 3, 4, 5)} == {NODES}
    assert rounds[ROUNDS]["score"] > rounds[1]["score"]
    told_to_all = [(scratch / f"node-{place}.log").read_text() for place in range(NODES)]
    assert sum("nodes of its group are left, 3 are needed" in text for text in told_to_all) >= 2
    ledger = json.loads(
        await federation.programs.run("fedtui", "--profile", "node-0", "ledger", "--json")
    )
    entries = [entry for entry in ledger if entry["sum"]]
    assert {entry["sum"]["num_nodes"] for entry in entries} == {3}
    assert all("groups of 3 or more in a cohort of 12" in entry["what"] for entry in entries)
    assert rounds[2]["score"] is not None, "the nine that are left are measured"
