"""The picture of one run: how it learned, what it sent, how long that took in virtual time."""

import math
from collections.abc import Sequence
from itertools import accumulate

from fedtui.experiments import drawing
from fedtui.experiments.drawing import Axes, Figure, Picture
from fedtui.learning.metrics import higher_is_better
from fedtui.simulation.report import RoundReport

SIZE_INCHES = (9.0, 4.4)


def draw(rounds: Sequence[RoundReport], title: str, target: float | None = None) -> Picture:
    """PNG and SVG of a run's finished rounds, oldest first; there may be none.

    Raises:
        NoPicturesError: matplotlib is missing.
    """

    def paint(figure: Figure) -> None:
        figure.suptitle(_plain(title), x=0.01, ha="left", fontsize=11)
        if not rounds:
            drawing.nothing_yet(figure.add_subplot(), "no round is finished yet")
            return
        grid = figure.add_gridspec(2, 2, width_ratios=(1.7, 1))
        _score(figure.add_subplot(grid[:, 0]), rounds, target)
        _bytes(figure.add_subplot(grid[0, 1]), rounds)
        _time(figure.add_subplot(grid[1, 1]), rounds)

    return drawing.draw(SIZE_INCHES, paint)


def _score(axes: Axes, rounds: Sequence[RoundReport], target: float | None) -> None:
    """The score; where nobody measured, the loss while training."""
    scored = [
        (one.round, one.score)
        for one in rounds
        if one.score is not None and math.isfinite(one.score)
    ]
    metric = rounds[0].metric
    if scored:
        best_of = max if higher_is_better(metric) else min
        best = best_of(scored, key=lambda one: one[1])
        axes.set_title(f"{metric} (best {best[1]:.4g} in round {best[0]})")
        axes.set_ylabel(metric)
    else:
        scored = [(one.round, one.loss) for one in rounds if one.loss is not None]
        axes.set_title("loss while training")
        axes.set_ylabel("mean loss per example")
    drawing.line(axes, [one[0] for one in scored], [one[1] for one in scored], color=drawing.BLUE)
    if target is not None:
        drawing.dashed_at(axes, target, f"target {target:g}")
    drawing.whole_rounds(axes)


def _bytes(axes: Axes, rounds: Sequence[RoundReport]) -> None:
    up = list(accumulate(one.bytes_up for one in rounds))
    down = list(accumulate(one.bytes_down for one in rounds))
    unit = drawing.byte_unit(max(up[-1], down[-1]))
    x = [one.round for one in rounds]
    for values, color, name, style in (
        (down, drawing.VERMILLION, "to the nodes", "-"),
        (up, drawing.GREEN, "from the nodes", (0, (5, 1.5))),
    ):
        scaled = [value / unit.divisor for value in values]
        drawing.line(axes, x, scaled, color=color, label=name, linestyle=style)
    axes.set_title("sent in all")
    axes.set_ylabel(unit.name)
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left")
    drawing.whole_rounds(axes)


def _time(axes: Axes, rounds: Sequence[RoundReport]) -> None:
    unit = drawing.time_unit(rounds[-1].ended_s)
    scaled = [one.ended_s / unit.divisor for one in rounds]
    drawing.line(axes, [one.round for one in rounds], scaled, color=drawing.PURPLE)
    axes.set_title("virtual time")
    axes.set_ylabel(unit.name)
    axes.set_ylim(bottom=0)
    drawing.whole_rounds(axes)


def _plain(title: str) -> str:
    """Matplotlib takes text between two dollar signs for a formula."""
    return title.replace("$", r"\$")
