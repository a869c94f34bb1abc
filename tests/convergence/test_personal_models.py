"""Nodes of very unequal data are served better by models of their own than by the global one."""

from pathlib import Path

import pytest

from fedtui.experiments import running, tables
from fedtui.experiments.engines import EngineChoice
from fedtui.experiments.progress import Lines
from fedtui.experiments.running import Wishes
from fedtui.simulation.report import RoundReport

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

PLAN = """\
seed = {seed}
[federation]
name = "personal"
[task]
name = "digits"
[strategy]
name = "{name}"
options = {options}
[training]
batch_size = 16
learning_rate = 0.05
[rounds]
maximum = 15
start_with = 10
[selection]
minimum = 10
[privacy]
updates = "visible"
[population]
nodes = 10
split = "dirichlet:0.1"
"""
OPTIONS = {"fedavg": "{}", "fedper": '{ stays = ["2.*"] }', "ditto": "{}"}


def own_accuracy(folder: Path, name: str, seed: int) -> float:
    """The last score: of all nodes, each on what it holds out of its own data."""
    folder.mkdir()
    plan = folder / "plan.toml"
    plan.write_text(PLAN.format(seed=seed, name=name, options=OPTIONS[name]))
    with (folder / "said").open("w") as said:
        info = running.run(
            Wishes(plan=plan, out=folder / "run", engine=EngineChoice()), Lines(said)
        )
    assert (info.state, info.num_rounds) == ("finished", 15)
    score = tables.read(folder / "run" / "rounds.parquet", RoundReport)[-1].score
    assert score is not None
    return score


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_own_tensors_and_own_models_beat_the_global_model(tmp_path: Path, seed: int) -> None:
    found = {name: own_accuracy(tmp_path / name, name, seed) for name in OPTIONS}
    assert found["fedper"] > found["fedavg"] + 0.04
    assert found["ditto"] > found["fedavg"] + 0.04
