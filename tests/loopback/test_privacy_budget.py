"""A node's privacy budget with real programs: two rounds, a kill -9 between them, then rest."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fedtui.demo.federation import LocalFederation, NodeSpec
from fedtui.demo.programs import Programs
from fedtui.privacy import accounting
from fedtui.privacy.accounting import Release

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(300)]

NODES, NOISE, DELTA = 4, 2.0, 0.01
CAP = accounting.epsilon_now([Release(NOISE, 2)], DELTA) * 1.01
PLAN = f"""\
seed = 3
[federation]
name = "budgeted"
[task]
name = "digits"
[training]
steps = 2
update_clip = 1.0
[selection]
minimum = 3
[rounds]
start_with = {NODES}
maximum = 2000
[weights]
by = "equal"
[evaluation]
holdout = 0.0
[deadlines]
accept_s = 5.0
rejoin_s = 3.0
[privacy]
updates = "visible"
[dp]
mechanism = "local"
noise = {NOISE}
delta = {DELTA}
"""


def node_toml(scratch: Path) -> Path:
    return scratch / "nodes" / "node-0" / "node.toml"


def spent_by(toml: Path) -> list[dict[str, object]]:
    path = toml.parent / "budget.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
async def federation(scratch: Path) -> AsyncIterator[LocalFederation]:
    (scratch / "run").mkdir(mode=0o700)
    home = {"FEDTUI_HOME": str(scratch / "nodes"), "XDG_RUNTIME_DIR": str(scratch / "run")}
    specs = tuple(
        NodeSpec(label=f"node-{place}", shard=f"{place}/{NODES}", options=("--visible",))
        for place in range(NODES)
    )
    toml = node_toml(scratch)
    toml.parent.mkdir(parents=True, mode=0o700)
    toml.write_text(f"[privacy]\nepsilon = {CAP}\n")
    found = LocalFederation(Programs(scratch, home), PLAN, specs)
    try:
        await found.start()
        yield found
    finally:
        await found.programs.stop()


async def test_D4_a_node_sits_out_when_two_rounds_are_spent_and_a_kill_forgets_none(
    federation: LocalFederation, scratch: Path
) -> None:
    programs, spec = federation.programs, federation.nodes[0]
    toml = node_toml(scratch)
    assert f"epsilon = {CAP}" in toml.read_text()
    killed, rests = False, 0
    async for told in federation.follow():  # it takes no part until it knows what a round costs
        if told["event"] != "round finished":
            continue
        spent = spent_by(toml)
        if spent and not killed:
            killed = True
            process = programs.started[spec.label].process
            process.kill()
            await process.wait()
            await programs.start(spec.label, *federation.node(spec, "node", "--foreground"))
        log = (scratch / f"{spec.label}.log").read_text()
        rests += "that this node's operator allows is used up" in log
        if rests == 5:
            break
    assert killed
    spent = spent_by(toml)
    keys = [(one["round"], one["attempt"]) for one in spent]
    assert len(keys) == len(set(keys)) == 2
    ledger = json.loads(await programs.run(*federation.node(spec, "ledger", "--json")))
    left = {(one["round"], one["attempt"]) for one in ledger if "update" in one["what"]}
    assert left == set(keys), "what left is what was spent"
    status = await federation.status()
    assert {line["participants"] for line in status["rounds"][-4:]} == {NODES - 1}
