from collections.abc import Callable
from pathlib import Path

import pytest

from fedtui.experiments.trackers import Trackers, figures, open_trackers
from fedtui.simulation.report import RoundReport
from fedtui.tracking import base
from fedtui.tracking.base import TrackingError


class Listening:
    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def begin(self, name: str, about: dict[str, str]) -> None:
        self.heard.append(("begin", name, about))

    def round(self, number: int, figures: dict[str, float], at: float) -> None:
        self.heard.append(("round", number, figures, at))

    def end(self) -> None:
        self.heard.append(("end",))


class Broken(Listening):
    def round(self, number: int, figures: dict[str, float], at: float) -> None:
        raise RuntimeError("the server is gone")


def test_all_are_told_and_one_that_fails_is_switched_off(
    a_round: Callable[..., RoundReport],
) -> None:
    good, broken, said = Listening(), Broken(), []
    both = Trackers(base.Trackers({"broken": broken, "good": good}, said.append))
    both.begin("run", {"seed": "1"})
    both.round(a_round(1, 0.5), 100.0)
    both.round(a_round(2), 200.0)
    both.end()
    assert said == ["broken is switched off: the server is gone"]
    assert broken.heard == [("begin", "run", {"seed": "1"})]
    assert [heard[0] for heard in good.heard] == ["begin", "round", "round", "end"]
    assert good.heard[1] == ("round", 1, figures(a_round(1, 0.5)), 100.0)


def test_figures_are_those_that_are_known(a_round: Callable[..., RoundReport]) -> None:
    assert figures(a_round(1, 0.5)) == {
        "score": 0.5,
        "loss": 1.0,
        "seconds": 12.5,
        "virtual_s": 12.5,
        "bytes_up": 1e6,
        "bytes_down": 2e6,
        "participants": 9.0,
        "dropped": 1.0,
    }
    assert "score" not in figures(a_round(1))


def test_each_gets_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = {}
    monkeypatch.setattr(
        base.plugins, "build", lambda _kind, name, **options: built.setdefault(name, options)
    )
    open_trackers(["mlflow", "tensorboard", "mlflow"], tmp_path, print, uri="http://127.0.0.1:1")
    assert built == {
        "mlflow": {"folder": str(tmp_path / "mlflow"), "uri": "http://127.0.0.1:1"},
        "tensorboard": {"folder": str(tmp_path / "tensorboard"), "uri": ""},
    }


def test_an_unknown_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="no tracker 'wandb'; there are: mlflow, tensorboard"):
        open_trackers(["wandb"], tmp_path, print)
    assert open_trackers([], tmp_path, print).all.running == {}
