from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from fedtui.experiments import drawing, spread_picture
from fedtui.experiments.compare import Run, load

MakeRun = Callable[..., Path]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Figure]:
    def make(runs: list[Run], metric: str = "accuracy", target: float | None = None) -> Figure:
        figure = Figure()
        monkeypatch.setattr(drawing, "draw", lambda _size, paint: paint(figure))
        spread_picture.draw(runs, metric, target)
        return figure

    return make


def rate(value: float) -> str:
    return f"[training]\nlearning_rate = {value}\n"


def test_a_curve_is_the_mean_and_its_band_the_extremes(a_run: MakeRun) -> None:
    runs = [
        load(a_run("a", [0.4, 0.6, 0.9], seed=1)),
        load(a_run("b", [0.6, 0.7], seed=2, bytes_up=3_000_000)),
    ]
    found = spread_picture.curve("x", runs)
    assert found.rounds == [1, 2]
    assert found.mean == pytest.approx([0.5, 0.65])
    assert (found.least, found.most) == ([0.4, 0.6], [0.6, 0.7])
    assert found.num_bytes == [4e6, 8e6]
    assert found.ended_s == [12.5, 25.0]


def test_a_group_is_a_line_in_each_panel_with_a_band(
    a_run: MakeRun, drawn: Callable[..., Figure]
) -> None:
    runs = [
        load(a_run("a", [0.4, 0.6], rate(0.1), seed=1)),
        load(a_run("b", [0.6, 0.7], rate(0.1), seed=2)),
        load(a_run("c", [0.3, 0.4], rate(0.2), seed=1)),
        load(a_run("d", [None, None], rate(0.3), seed=1)),
    ]
    figure = drawn(runs, target=0.5)
    for axes in figure.axes:
        assert len(axes.lines) == 3, "two groups and the target"
        assert len(axes.collections) == 1, "one seed has no spread"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "learning_rate=0.1",
        "learning_rate=0.2",
    ]


@pytest.mark.parametrize("metric", ["accuracy", "rmse"])
def test_of_many_groups_the_best_are_in_colour(
    a_run: MakeRun, drawn: Callable[..., Figure], metric: str
) -> None:
    num = spread_picture.MAX_LINES + 3
    runs = [
        load(a_run(f"r{n}", [0.9 - n / 100], rate(0.1 + n / 1000), metric=metric))
        for n in range(num)
    ]
    figure = drawn(runs, metric)
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert len(texts) == spread_picture.MAX_LINES + 1
    assert texts[-1] == "3 others"
    first = (
        "learning_rate=0.1"
        if metric == "accuracy"
        else f"learning_rate={0.1 + (num - 1) / 1000:g}"
    )
    assert texts[0] == first


def test_nothing_measured_is_said(a_run: MakeRun, drawn: Callable[..., Figure]) -> None:
    (only,) = drawn([load(a_run("a", []))]).axes
    assert [text.get_text() for text in only.texts] == ["no round of these runs was measured"]
