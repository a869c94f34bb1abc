import math
from collections.abc import Callable
from typing import Any

import pytest
from matplotlib.figure import Figure

from fedtui.experiments import drawing, picture
from fedtui.simulation.report import RoundReport


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Figure]:
    """The figure itself, as `draw` paints it."""

    def make(rounds: list[RoundReport], target: float | None = None) -> Figure:
        figure = Figure()
        monkeypatch.setattr(drawing, "draw", lambda _size, paint: paint(figure))
        picture.draw(rounds, "a run for $5", target)
        return figure

    return make


def lines(axes: Any) -> list[tuple[list[float], list[float]]]:
    return [(list(one.get_xdata()), list(one.get_ydata())) for one in axes.lines]


def test_scores_bytes_and_time_are_drawn_as_they_are(
    drawn: Callable[..., Figure], a_round: Callable[..., RoundReport]
) -> None:
    score, sent, time = drawn([a_round(1, 0.5), a_round(2), a_round(3, 0.7)], 0.6).axes
    assert lines(score)[0] == ([1, 3], [0.5, 0.7])
    assert score.get_title() == "accuracy (best 0.7 in round 3)"
    assert [text.get_text() for text in score.texts] == ["target 0.6"]
    assert lines(sent) == [([1, 2, 3], [2, 4, 6]), ([1, 2, 3], [1, 2, 3])]
    assert sent.get_ylabel() == "MB"
    assert lines(time) == [([1, 2, 3], [12.5, 25.0, 37.5])]
    assert time.get_ylabel() == "seconds"
    assert [axes.get_xlabel() for axes in (score, sent, time)] == ["round"] * 3


def test_without_a_score_the_loss_is_drawn(
    drawn: Callable[..., Figure], a_round: Callable[..., RoundReport]
) -> None:
    score = drawn([a_round(1, math.nan), a_round(2), a_round(4)]).axes[0]
    assert lines(score) == [([1, 2, 4], [1.0, 0.5, 0.25])]
    assert score.get_ylabel() == "mean loss per example"


def test_the_best_of_a_loss_is_the_least(
    drawn: Callable[..., Figure], a_round: Callable[..., RoundReport]
) -> None:
    rounds = [a_round(n, s, metric="rmse") for n, s in ((1, 0.9), (2, 0.3), (3, 0.4))]
    assert drawn(rounds).axes[0].get_title() == "rmse (best 0.3 in round 2)"


def test_a_run_without_a_round_says_so(drawn: Callable[..., Figure]) -> None:
    (only,) = drawn([]).axes
    assert [text.get_text() for text in only.texts] == ["no round is finished yet"]


def test_it_becomes_files(a_round: Callable[..., RoundReport]) -> None:
    made = picture.draw([a_round(1, 0.5)], "a run for $5, $6")
    assert made.png.startswith(b"\x89PNG")
    assert made.svg == picture.draw([a_round(1, 0.5)], "a run for $5, $6").svg
