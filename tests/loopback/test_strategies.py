"""Strategies that remember, as real programs: killed with -9 between rounds, on both sides, they
come to the very bits that the simulation of the same plan gives in one go. So do a strategy, a
selection and an aggregator that are files of the operator's own, a robust rule, updates that were
made smaller (what a node did not send is kept for the next one), models that come as changes, and
rounds that are rolled back.
"""

from pathlib import Path

import pytest
from from_run import FromRun

from fedtui.demo.federation import NodeSpec
from fedtui.demo.programs import Programs
from fedtui.demo.watch import Watch
from fedtui.experiments import running, tables
from fedtui.experiments.engines import EngineChoice
from fedtui.experiments.progress import Lines
from fedtui.experiments.running import Wishes
from fedtui.learning.params import Params
from fedtui.plugins import OWN_VARIABLE, file_hash
from fedtui.simulation.report import RoundReport

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(300)]

NODES = 3
OWN = {
    "strategies/mine.py": """
from dataclasses import dataclass
from fedtui.strategies.base import Strategy, State, stepped
@dataclass(frozen=True, slots=True)
class Mine(Strategy):
    kept = ("last",)
    def apply(self, model_C, mean_C, state, cohort):
        step_C = mean_C + 0.5 * state.vectors["last"]
        return stepped(model_C, step_C), State({"last": step_C})
build = Mine
""",
    "selection/first.py": """
from dataclasses import dataclass
from fedtui.selection.base import Selection
@dataclass(frozen=True, slots=True)
class First(Selection):
    def pick(self, present, size, rng, number):
        return frozenset(one.node for one in present[:size])
build = First
""",
    "aggregators/middle.py": """
from dataclasses import dataclass
import numpy as np
from fedtui.aggregators.base import Aggregator
@dataclass(frozen=True, slots=True)
class Middle(Aggregator):
    def combine(self, updates, weights):
        rows = np.stack(list(updates))
        return (rows.min(axis=0) + rows.max(axis=0)) / np.float64(2)
build = Middle
""",
}
PINS = {name: file_hash(text.encode()) for name, text in OWN.items()}
OPTIONS = {
    "fedper": 'options = { stays = ["2.*"] }',
    "mine": f'sha256 = "{PINS["strategies/mine.py"]}"',
}
SELECTIONS = {"mine": f'name = "first"\nsha256 = "{PINS["selection/first.py"]}"'}
MIXED = '[aggregator]\nname = "geometric_median"\nmix = 1\n'
RULE = f'[aggregator]\nname = "middle"\nsha256 = "{PINS["aggregators/middle.py"]}"\n'
GATE = "[gate]\ntolerance = 0.0001"
PLAN = """\
seed = 11
[federation]
name = "remembering"
[task]
name = "digits"
[strategy]
name = "{strategy}"
{options}
[training]
batch_size = 16
learning_rate = {rate}
[weights]
by = "equal"
[rounds]
maximum = 8
start_with = 3
[selection]
{selection}
minimum = 3
[privacy]
updates = "{updates}"
[population]
nodes = 3
split = "dirichlet:0.5"
{traffic}
"""


class Mortal(FromRun):
    """A federation whose programs are killed."""

    async def kill(self, name: str) -> None:
        """As a power cut would end it; whoever follows starts it again."""
        process = self.programs.started[name].process
        process.kill()
        await process.wait()


def federation_of(scratch: Path, updates: str, *files: str) -> FromRun:
    (scratch / "run").mkdir(mode=0o700)
    programs = Programs(
        scratch,
        {"FEDTUI_HOME": str(scratch / "nodes"), "XDG_RUNTIME_DIR": str(scratch / "run")},
    )
    specs = tuple(
        NodeSpec(
            label=f"node-{place}",
            split="dirichlet:0.5",
            shard=f"{place}/{NODES}",
            split_seed=11,
            options=(*(("--visible",) if updates == "visible" else ()), *files),
        )
        for place in range(NODES)
    )
    federation = Mortal(programs, "", specs)
    federation.run = scratch / "sim"
    return federation


@pytest.mark.parametrize(
    ("strategy", "updates", "traffic"),
    [
        ("fedopt", "visible", "model_bits = 16"),
        ("scaffold", "masked", "model_bits = 8"),
        ("feddyn", "visible", ""),
        ("fednova", "masked", ""),
        ("fedper", "masked", "model_bits = 32"),
        ("ditto", "visible", "model_bits = 4"),
        ("mine", "masked", ""),
        ("fedavg", "visible", "update_bytes = 2000\nmodel_bits = 8"),
        ("fedavg", "masked", "update_bytes = 2000"),
        ("fedavgm", "masked", "model_bits = 16\n" + GATE),
        ("fedavg", "visible", "update_bytes = 2000\n" + MIXED),
        ("mine", "visible", RULE),
    ],
)
async def test_killed_on_both_sides_it_comes_to_the_simulated_model(
    scratch: Path,
    strategy: str,
    updates: str,
    traffic: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(OWN_VARIABLE, "")  # so that it is put back
    for name, text in OWN.items():
        path = scratch / "plugins" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    plan = PLAN.format(
        strategy=strategy,
        updates=updates,
        options=OPTIONS.get(strategy, ""),
        selection=SELECTIONS.get(strategy, ""),
        traffic=f"[traffic]\n{traffic}",
        rate=0.3 if GATE in traffic else 0.05,
    )
    (scratch / "plan.toml").write_text(plan)
    own = scratch / "plugins" / "strategies" / "mine.py"
    files = ("--strategy-file", str(own)) if strategy == "mine" else ()
    with (scratch / "said").open("w") as said:
        info = running.run(
            Wishes(plan=scratch / "plan.toml", out=scratch / "sim", engine=EngineChoice()),
            Lines(said),
        )
    assert (info.state, info.num_rounds) == ("finished", 8)
    federation = federation_of(scratch, updates, *files)
    programs, out = federation.programs, scratch / "model"
    scores = {}
    left = [(1, "coordinator"), (2, "node-1"), (3, "coordinator")]
    try:
        await federation.start()
        watch = Watch()
        async for told in federation.follow():
            watch.take(told)
            if told["event"] == "scored":
                scores[told["round"]] = told["score"]
            done = told["event"] == "round finished" and told["round"]
            if left and done and done >= left[0][0]:
                await federation.kill(left.pop(0)[1])
            if watch.ended:
                break
        assert left == [], "the federation ended before everybody was killed"
        await programs.run(*federation.coordinator("export", "--out", str(out), "--no-torch"))
    finally:
        await programs.stop()
    if "model_bits" in traffic:
        assert "came as a change" in (scratch / "node-0.log").read_text()
    exported = Params.from_safetensors((out / "model.safetensors").read_bytes())
    simulated = Params.from_safetensors((scratch / "sim" / "model.safetensors").read_bytes())
    for name, tensor in simulated.items():
        assert exported[name].tobytes() == tensor.tobytes()
    reports = tables.read(scratch / "sim" / "rounds.parquet", RoundReport)
    undone = [report.round for report in reports if report.rolled_back]
    assert bool(undone) == (GATE in traffic)
    for number in undone:
        assert f"round {number} was rolled back" in (scratch / "coordinator.log").read_text()
        told = [(scratch / f"{name}.log").read_text() for name in programs.started]
        heard = [text for text in told if f"round {number} committed" in text]
        if number + 1 in scores:  # who was away when it was committed has nothing to go back from
            back = f"round {number} was rolled back: going on from the model"
            assert all(back in text for text in heard)
    assert scores.items() <= {report.round: report.score for report in reports}.items()
    assert 8 in scores
    first = Params.from_safetensors((scratch / "sim" / "initial.safetensors").read_bytes())
    same = {name for name, tensor in first.items() if exported[name].tobytes() == tensor.tobytes()}
    assert same == ({"2.weight", "2.bias"} if strategy == "fedper" else set())
