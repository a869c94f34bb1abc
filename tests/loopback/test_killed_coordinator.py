"""R1 with real programs: the coordinator is killed with -9 at every point that can be seen from
outside, again and again in one federation, and no update is lost or counted twice.
"""

import json
import sys
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from fedtui.demo.federation import LocalFederation
from fedtui.demo.programs import Programs

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(400)]
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TASK_FILE = BENCHMARKS / "null_task.py"
NODES, DIM = 3, 64

POINTS: list[dict[str, Any]] = [
    {"event": "round started"},
    {"event": "phase", "phase": "inviting"},
    {"event": "update", "updates": 1},
    {"event": "update", "updates": 2},
    {"event": "update", "updates": 3},
    {"event": "phase", "phase": "aggregating"},
    {"event": "round finished"},
    {"event": "joined"},
    {"event": "joined"},
    {"event": "round started"},
    {"event": "update", "updates": 1},
    {"event": "phase", "phase": "aggregating"},
    {"event": "round finished"},
]
MOST_ROUNDS = 10**6  # many pass unseen while a new life is not followed yet: the test ends it
PLAN = f"""\
[federation]
name = "killed"
[task]
name = "null_task"
sha256 = "{sha256(TASK_FILE.read_bytes()).hexdigest()}"
metric = "loss"
options = {{ dim = {DIM} }}
[selection]
minimum = {NODES}
[rounds]
start_with = {NODES}
maximum = {MOST_ROUNDS}
[evaluation]
holdout = 0.0
[privacy]
updates = "visible"
"""


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[LocalFederation]:
    """A coordinator, and three nodes that live in one process of their own."""
    programs = Programs(tmp_path, {"FEDTUI_HOME": str(tmp_path / "nodes")})
    found = LocalFederation(programs, PLAN, (), init_options=("--task-file", str(TASK_FILE)))
    try:
        made = await found.start_coordinator()
        await programs.run(*found.coordinator("pause"))  # until somebody follows
        invite = tmp_path / "invite"
        options = ["--uses", str(NODES), "--auto-approve"]
        invite.write_text(await programs.run(*found.coordinator("invite", *options)))
        nodes = await programs.start_argv(
            "nodes",
            *(sys.executable, str(BENCHMARKS / "thin_nodes.py"), "--invite", str(invite)),
            *("--plan", made["plan_hash"], "--count", str(NODES), "--dim", str(DIM)),
        )
        await programs.ready(nodes, "enrolled")
        yield found
    finally:
        await programs.stop()


def matches(line: dict[str, Any], point: dict[str, Any]) -> bool:
    return all(line.get(key) == value for key, value in point.items())


async def test_R1_killed_at_every_point_it_loses_at_most_one_attempt_a_kill(
    federation: LocalFederation, tmp_path: Path
) -> None:
    left = list(POINTS)
    alive, begun, ending = True, False, False
    async for line in federation.follow():
        if not begun:
            begun = True
            await federation.programs.run(*federation.coordinator("resume"))
        alive = alive or line["event"] == "status"  # which opens what a new life tells
        if line["event"] == "ended" or (line["event"] == "status" and line["status"]["ended"]):
            break
        if left and alive and matches(line, left[0]):
            alive = False
            left.pop(0)
            federation.programs.started["coordinator"].process.kill()
            await federation.programs.started["coordinator"].process.wait()
        elif not left and alive and not ending and line["event"] == "round finished":
            ending = True
            await federation.programs.run(*federation.coordinator("stop", "--end"))
    assert left == [], "the federation ended before every point was tried"

    status = await federation.status()
    rounds = [r for r in status["rounds"] if r["round"] > 0]
    num_rounds = len(rounds)
    assert [r["round"] for r in rounds] == list(range(1, num_rounds + 1))
    assert num_rounds > 3
    assert all(r["participants"] == NODES for r in rounds)
    assert sum(r["attempt"] - 1 for r in rounds) <= len(POINTS)
    assert status["incarnation"] >= len(POINTS) + 1

    report = await federation.programs.run(*federation.coordinator("audit", "verify", "--json"))
    assert json.loads(report)["problems"] == []
    await federation.programs.run(
        *federation.coordinator("export", "--no-torch", "--out", str(tmp_path / "last")),
        *("--round", str(num_rounds)),
    )
    await federation.programs.run(
        *federation.coordinator("export", "--no-torch", "--out", str(tmp_path / "first")),
        *("--round", "0"),
    )
    # Every node sends the same vector every time, so each committed round moves by exactly it.
    update_D = np.random.default_rng(1).standard_normal(DIM, np.float32) * np.float32(0.01)
    first_D = load_file(tmp_path / "first" / "model.safetensors")["values"]
    last_D = load_file(tmp_path / "last" / "model.safetensors")["values"]
    expected_D = first_D
    for _ in range(num_rounds):
        expected_D = (expected_D.astype(np.float64) + update_D).astype(np.float32)
    np.testing.assert_allclose(last_D, expected_D, atol=1e-6)
