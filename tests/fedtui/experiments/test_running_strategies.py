"""Whole simulated runs of every strategy: masked as visible, interrupted as in one go."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from fedtui import plugins
from fedtui.experiments import running
from fedtui.experiments.engines import EngineChoice
from fedtui.experiments.running import Wishes
from fedtui.simulation.report import RoundReport

PLAN = """\
[federation]
name = "strategies"
[task]
name = "digits"
[strategy]
name = "{strategy}"
{options}
[training]
batch_size = 16
learning_rate = 0.05
[weights]
by = "equal"
[rounds]
maximum = 5
start_with = 4
[selection]
fraction = 0.7
minimum = 3
[privacy]
updates = "{updates}"
{late}
[population]
nodes = 6
split = "dirichlet:0.3"
[population.dropout]
training = 0.1
"""
LATE = """\
[deadlines]
late = "buffer"
max_staleness = 3
"""
POPULATION = "options = { population = 6 }"
STAYS = 'options = { stays = ["2.*"] }'
OPTIONS = {"scaffold": POPULATION, "feddyn": POPULATION, "fedper": STAYS}
STATEFUL = ("ditto", "fedbuff", "fedavgm", "fedopt", "feddyn", "fedper", "scaffold")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]


class Quiet:
    """A Show that interrupts after a round, once."""

    def __init__(self, stop_after: int = 0) -> None:
        self._stop_after = stop_after

    def say(self, text: str) -> None: ...
    def begins(self, plan, folder: Path, *, again: int) -> None: ...
    def failed(self, node: int, number: int, reason: str, kept: Path | None) -> None:
        raise AssertionError(reason)

    def ends(self, info, folder: Path) -> None: ...

    def round(self, report: RoundReport) -> None:
        if report.round == self._stop_after:
            raise KeyboardInterrupt


def run(folder: Path, strategy: str, updates: str = "visible", *stops: int, **fields) -> bytes:
    """The model that comes out, of a run that was interrupted after these rounds."""
    folder.mkdir()
    plan = folder / "plan.toml"
    options = OPTIONS.get(strategy, "")
    plan.write_text(
        PLAN.format(
            strategy=strategy,
            options=options,
            updates=updates,
            late=LATE if strategy == "fedbuff" else "",
        )
    )
    asked = {"plan": plan, "out": folder / "run", "engine": EngineChoice()} | fields
    for stop in (*stops, 0):
        info = running.run(Wishes(**asked), Quiet(stop))
        assert info.state == ("stopped" if stop else "finished")
    names = {path.name for path in (folder / "run").iterdir()}
    assert not [name for name in names if name.startswith(("state-", "held"))]
    return (folder / "run" / "model.safetensors").read_bytes()


def model(folder: Path) -> np.ndarray:
    arrays = load_file(folder / "run" / "model.safetensors")
    return np.concatenate([arrays[name].reshape(-1) for name in sorted(arrays)])


@pytest.mark.parametrize("strategy", STATEFUL)
@pytest.mark.parametrize("updates", ["visible", "masked"])
def test_an_interrupted_run_goes_on_to_the_same_bits(
    tmp_path: Path, strategy: str, updates: str
) -> None:
    whole = run(tmp_path / "whole", strategy, updates)
    assert run(tmp_path / "stopped", strategy, updates, 2, 4) == whole


@pytest.mark.parametrize("strategy", ["scaffold", "ditto"])
def test_processes_give_the_same_bits_as_one(tmp_path: Path, strategy: str) -> None:
    many = EngineChoice(name="processes", workers=2)
    whole = run(tmp_path / "one", strategy)
    assert run(tmp_path / "many", strategy, engine=many) == whole


@pytest.mark.parametrize("strategy", plugins.names("strategies"))
def test_masked_is_visible_but_for_rounding_and_differs_from_fedavg(
    tmp_path: Path, strategy: str
) -> None:
    """Who takes part is drawn anew in time that masks change, so everybody does here."""
    if strategy == "fedbuff":
        pytest.skip("who is late differs: see test_lateness.py")
    text = PLAN.replace("fraction = 0.7\n", "").replace("training = 0.1", "training = 0.0")
    for updates in ("visible", "masked"):
        folder = tmp_path / updates
        folder.mkdir()
        plan = folder / "plan.toml"
        options = OPTIONS.get(strategy, "")
        plan.write_text(
            text.format(
                strategy=strategy,
                options=options,
                updates=updates,
                late=LATE if strategy == "fedbuff" else "",
            ).replace("start_with = 4", "start_with = 6")
        )
        wishes = Wishes(plan=plan, out=folder / "run", engine=EngineChoice())
        assert running.run(wishes, Quiet()).state == "finished"
    seen, summed = model(tmp_path / "visible"), model(tmp_path / "masked")
    assert seen.shape == summed.shape, "what is exported is the model alone"
    moved = np.abs(seen - model_before(tmp_path / "visible")).max()
    assert np.abs(seen - summed).max() < 0.01 * moved
    assert not np.array_equal(seen, summed)


def model_before(folder: Path) -> np.ndarray:
    arrays = load_file(folder / "run" / "initial.safetensors")
    return np.concatenate([arrays[name].reshape(-1) for name in sorted(arrays)])
