"""Differential privacy with real programs under masks: what nodes add is in the sum, and no more.

The task's updates are zero, so the model is nothing but noise.
"""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from hashlib import sha256
from pathlib import Path

import dp_accounting
import numpy as np
import pytest
from plain_sums import check, environment, told

from fedtui import tomlfile
from fedtui.demo.federation import LocalFederation, NodeSpec
from fedtui.demo.programs import Programs
from fedtui.rounds import promised
from fedtui.rounds.plan import Plan

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(200)]
NODES, DIM, ROUNDS = 4, 20_000, 2
CLIP, NOISE = 2.0, 1.5
TASK = f'''
import numpy as np

from fedtui.learning.params import Manifest, TensorSpec


class Nothing:
    """No node learns anything."""

    metric = "loss"

    def manifest(self) -> Manifest:
        return Manifest((TensorSpec("w", ({DIM},)),))

    def fixed_update(self, manifest: Manifest, seed: int) -> np.ndarray:
        return np.zeros(manifest.num_values, np.float32)


build = Nothing
'''
PLAN = f"""\
[federation]
name = "hidden"
[task]
name = "nothing"
sha256 = "{sha256(TASK.encode()).hexdigest()}"
metric = "loss"
[training]
update_clip = {CLIP}
[rounds]
start_with = {NODES}
maximum = {ROUNDS}
[weights]
by = "equal"
[evaluation]
holdout = 0.0
[privacy]
minimum = 3
colluders = 1
[dp]
mechanism = "distributed"
noise = {NOISE}
delta = 0.01
"""


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[LocalFederation]:
    task = tmp_path / "nothing.py"
    task.write_text(TASK)
    (tmp_path / "run").mkdir(mode=0o700)
    programs = Programs(
        tmp_path,
        {"FEDTUI_HOME": str(tmp_path / "nodes"), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
        | environment(tmp_path / "told"),
    )
    own = ("--task-file", str(task))
    specs = tuple(NodeSpec(label=f"node-{n}", options=own) for n in range(1, NODES + 1))
    found = LocalFederation(programs, PLAN, specs, init_options=own)
    try:
        await found.start()
        yield found
    finally:
        await programs.stop()


async def test_N1_each_sum_has_the_noise_of_its_nodes_and_no_two_are_alike(
    federation: LocalFederation, tmp_path: Path
) -> None:
    folder = tmp_path / "told"
    lines = federation.programs.lines(*federation.coordinator("follow"))
    async with aclosing(lines):
        async for line in lines:
            if '"event":"round finished"' in line and len(told(folder).rounds) == ROUNDS:
                break
    near = 5 / (2 * DIM) ** 0.5  # of a standard deviation, but once in a million times
    each = CLIP * NOISE / (3 - 1) ** 0.5  # two of the smallest sum are honest for sure
    added = []
    for ended in told(folder).rounds:
        for digest in ended.digests.values():
            part = np.load(folder / "plain" / f"{digest}.npz")
            added.append(part["values"] / float(part["scale"]))
    assert len(added) == NODES * ROUNDS
    for one in added:
        assert abs(one.std() / each - 1) < near
    correlations = np.corrcoef(added) - np.eye(len(added))
    assert np.abs(correlations).max() < 5 / DIM**0.5

    models = check(folder, np.zeros(DIM, np.float32), weight_cap=1)
    moved = np.diff(np.stack([np.zeros(DIM, np.float32), *models]).astype(float), axis=0)
    for step in moved:
        assert abs(step.std() / (each * NODES**0.5 / NODES) - 1) < near

    said = await federation.programs.run("fedtui", "--profile", "node-1", "ledger", "--json")
    updates = [one for one in json.loads(said) if one["what"].startswith("update")]
    assert len(updates) == ROUNDS
    for one in updates:
        assert "clipped to 2, with noise of 2.12 added to each value" in one["what"]
        assert "examples" not in one["what"]

    spent = await spent_by(federation, ROUNDS)
    plan = tomlfile.parse(PLAN, Plan, path=tmp_path / "plan.toml")
    sure = dp_accounting.get_epsilon_gaussian(promised.guaranteed(plan) / ROUNDS**0.5, 0.01)
    assert spent["guaranteed"] == pytest.approx(sure)
    # three honest nodes were in each sum, and not two
    more = promised.guaranteed(plan) * (3 / 2) ** 0.5
    real = dp_accounting.get_epsilon_gaussian(more / ROUNDS**0.5, 0.01)
    assert spent["realised"] == pytest.approx(real)


async def spent_by(federation: LocalFederation, number: int) -> dict[str, float]:
    """What the running coordinator says, once it worked out this round."""
    while True:
        said = await federation.programs.run(*federation.coordinator("status", "--json"))
        spent = json.loads(said)["spent"]
        if spent is not None and spent["round"] == number:
            return spent
