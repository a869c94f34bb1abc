"""What a run came to after each round, and where that is kept.

Hours of runs are kept as they end, a JSON line each, under the SHA-256 of what was run: a command
that was interrupted goes on where it was, and printing again runs nothing. A changed plan is
another run; after a change of the code that trains, remove the file.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import tempfile
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.simulated import RunError
from fedtui.experiments import running
from fedtui.experiments.engines import EngineChoice

if TYPE_CHECKING:
    from fedtui.experiments.folder import RunInfo
    from fedtui.experiments.planfile import PlanFile
    from fedtui.simulation.report import RoundReport

LAST = 5
"""So many rounds' scores are averaged: a single one depends on which nodes were just there."""


@dataclass(frozen=True, slots=True)
class Curve:
    """After each round: the score, bytes in both directions so far, virtual seconds so far."""

    scores: list[float]
    bytes: list[int]
    seconds: list[float]

    def within(self, *, num_bytes: float = float("inf"), seconds: float = float("inf")) -> float:
        """The mean score of the last rounds that these bytes and seconds were enough for.

        NaN if they were not enough for one.
        """
        known = zip(self.scores, self.bytes, self.seconds, strict=True)
        done = [score for score, sent, at in known if sent <= num_bytes and at <= seconds]
        return statistics.mean(done[-LAST:]) if done else float("nan")


class Kept:
    """Curves by what was run; `path` None keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, Curve] = {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                one = json.loads(line)
                digest = one.pop("run")
                self._known[digest] = Curve(**one)

    def curve(self, plan: str, task_file: Path | None = None) -> Curve:
        """The curve of such a run, which is simulated unless it is known.

        Raises RunError, and OperatorError where the plan cannot be run.
        """
        digest = hashlib.sha256(plan.encode()).hexdigest()
        if digest not in self._known:
            found = _simulated(plan, task_file)
            self._known[digest] = found
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"run": digest, **asdict(found)}) + "\n")
        return self._known[digest]


class _Heard:
    """What a run tells, without showing it."""

    def __init__(self) -> None:
        self.rounds: list[RoundReport] = []
        self.state = ""
        self.reason = ""

    def say(self, text: str) -> None:
        pass

    def begins(self, plan: PlanFile, folder: Path, *, again: int) -> None:
        pass

    def round(self, report: RoundReport) -> None:
        self.rounds.append(report)

    def failed(self, node: int, number: int, reason: str, kept: Path | None) -> None:  # noqa: ARG002
        self.reason = f"node {node} failed in round {number}: {reason}"

    def ends(self, info: RunInfo, folder: Path) -> None:  # noqa: ARG002
        self.state = info.state
        self.reason = self.reason or info.reason


def _simulated(plan: str, task_file: Path | None) -> Curve:
    """In this process: to load torch again for every run would cost a third of the time."""
    heard = _Heard()
    with tempfile.TemporaryDirectory(prefix="fedtui-bench-") as folder:
        file = Path(folder) / "plan.toml"
        file.write_text(plan, encoding="utf-8")
        running.run(
            running.Wishes(
                plan=file, out=Path(folder) / "run", engine=EngineChoice(), task_file=task_file
            ),
            heard,
        )
    scores = [one.score for one in heard.rounds if one.score is not None]
    if heard.state != "finished" or len(scores) != len(heard.rounds):
        raise RunError(f"{heard.state}: {heard.reason}, in a run of\n{plan}")
    return Curve(
        scores=scores,
        bytes=list(accumulate(one.bytes_up + one.bytes_down for one in heard.rounds)),
        seconds=[one.ended_s for one in heard.rounds],
    )
