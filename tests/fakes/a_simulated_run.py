"""Short simulated runs of the digits, kept in a folder: for tests of what comes after a run."""

from collections.abc import Callable
from pathlib import Path

from fedtui.experiments import running
from fedtui.experiments.engines import EngineChoice
from fedtui.experiments.folder import RunInfo
from fedtui.experiments.running import Wishes
from fedtui.simulation.report import RoundReport

PLAN = """\
[federation]
name = "a run"
[task]
name = "digits"
[rounds]
maximum = 3
start_with = 4
[selection]
minimum = 3
[privacy]
updates = "masked"
[population]
nodes = 4
[population.speed]
examples_per_s = 50
"""
VISIBLE = PLAN.replace('"masked"', '"visible"')


class Quiet:
    """A Show that keeps what is said, and may do something after a round."""

    def __init__(self, then: Callable[[int], None] = lambda _number: None) -> None:
        self.said: list[str] = []
        self._then = then

    def say(self, text: str) -> None:
        self.said.append(text)

    def begins(self, plan, folder: Path, *, again: int) -> None: ...

    def round(self, report: RoundReport) -> None:
        self._then(report.round)

    def failed(self, node: int, number: int, reason: str, kept: Path | None) -> None: ...

    def ends(self, info: RunInfo, folder: Path) -> None: ...


def interrupt_after(number: int) -> Callable[[int], None]:
    def then(done: int) -> None:
        if done == number:
            raise KeyboardInterrupt

    return then


def simulate(
    folder: Path, text: str = PLAN, show: Quiet | None = None, **fields
) -> tuple[Path, RunInfo]:
    """Run the plan, or go on with it: the run's folder, and how it ended."""
    plan = folder / "plan.toml"
    plan.write_text(text)
    wishes = Wishes(plan=plan, out=folder / "run", engine=EngineChoice(), **fields)
    return folder / "run", running.run(wishes, show or Quiet())
