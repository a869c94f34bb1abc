from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fedtui.experiments.folder import RunFolder, RunInfo, versions
from fedtui.experiments.journal import Journal, RoundClosed
from fedtui.simulation.report import NodeReport, RoundReport


def round_report(number: int, score: float | None = None, **changed: object) -> RoundReport:
    fields: dict[str, object] = {
        "round": number,
        "attempt": 1,
        "metric": "accuracy",
        "score": score,
        "loss": 1.0 / number,
        "num_present": 10,
        "num_invited": 10,
        "num_counted": 9,
        "num_examples": 900,
        "seconds": 12.5,
        "ended_s": 12.5 * number,
        "bytes_up": 1_000_000,
        "bytes_down": 2_000_000,
        "wall_s": 0.25,
        "model": f"{number:064x}",
    }
    return RoundReport(**{**fields, **changed})  # type: ignore[arg-type]


def node_report(number: int, node: int, **changed: object) -> NodeReport:
    fields: dict[str, object] = {
        "round": number,
        "attempt": 1,
        "node": node,
        "fate": "counted",
        "num_examples": 100,
        "loss": 0.5,
        "train_s": 3.0,
        "bytes_up": 100_000,
        "bytes_down": 200_000,
    }
    return NodeReport(**{**fields, **changed})  # type: ignore[arg-type]


@pytest.fixture
def a_round() -> Callable[..., RoundReport]:
    return round_report


@pytest.fixture
def a_node() -> Callable[..., NodeReport]:
    return node_report


@pytest.fixture
def a_run(tmp_path: Path) -> Callable[..., Path]:
    """Writes a run with these scores, one per round, and returns its folder."""

    def make(name: str, scores: Sequence[float | None], plan: str = "", **changed: object) -> Path:
        seed = int(str(changed.pop("seed", 1)))
        text = f'seed = {seed}\n[federation]\nname = "x"\n{plan}'
        info = RunInfo(**versions(), seed=seed, engine="serial", started_s=1.0)  # type: ignore[arg-type]
        with RunFolder.create(tmp_path / name, text, info).held() as folder:
            journal = Journal(folder.journal)
            for number, score in enumerate(scores, 1):
                report = round_report(number, score, **changed)
                journal.append([RoundClosed(report=report, nodes=[])])
            journal.close()
        return tmp_path / name

    return make
