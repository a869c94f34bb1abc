"""The picture of a comparison: scores over rounds, bytes and virtual time, a line per group.

A line is the mean over the seeds of a group, its band reaches from the worst to the best of them;
it ends where the first of them ends. Beyond MAX_LINES groups the best are in colour, the others
grey.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import fmean

from fedtui.experiments import drawing
from fedtui.experiments.compare import Run, grouped
from fedtui.experiments.drawing import Axes, Figure, Picture
from fedtui.learning.metrics import higher_is_better

SIZE_INCHES = (11.0, 4.0)
MAX_LINES = 2 * len(drawing.PALETTE)
_PALE = "#c9cdd3"
_STYLES = ("-", (0, (4, 1.5)))


@dataclass(frozen=True, slots=True)
class Curve:
    """A group's scores (N rounds): their mean and extremes, and the mean cost until then."""

    label: str
    rounds: list[int]
    mean: list[float]
    least: list[float]
    most: list[float]
    num_bytes: list[float]
    ended_s: list[float]


def draw(runs: Sequence[Run], metric: str, target: float | None = None) -> Picture:
    """PNG and SVG of several runs.

    Raises:
        NoPicturesError: matplotlib is missing.
    """
    found = [curve(label, of_group) for label, of_group in grouped(runs).items()]
    curves = [one for one in found if one.rounds]

    def paint(figure: Figure) -> None:
        if not curves:
            drawing.nothing_yet(figure.add_subplot(), "no round of these runs was measured")
            return
        _paint(figure, curves, metric, target)

    return drawing.draw(SIZE_INCHES, paint)


def curve(label: str, runs: Sequence[Run]) -> Curve:
    """What a group's line and band are drawn from. Pure."""
    of_run = [_points(run) for run in runs]
    shared = sorted(set.intersection(*(set(points) for points in of_run)))
    columns = {number: [points[number] for points in of_run] for number in shared}
    scores = [[score for score, _, _ in columns[number]] for number in shared]
    return Curve(
        label,
        shared,
        [fmean(values) for values in scores],
        [min(values) for values in scores],
        [max(values) for values in scores],
        [fmean(sent for _, sent, _ in columns[number]) for number in shared],
        [fmean(ended for _, _, ended in columns[number]) for number in shared],
    )


def _points(run: Run) -> Mapping[int, tuple[float, float, float]]:
    """Score, bytes until then and virtual time, by measured round."""
    sent = accumulate(one.bytes_up + one.bytes_down for one in run.rounds)
    return {
        one.round: (one.score, num_bytes, one.ended_s)
        for one, num_bytes in zip(run.rounds, sent, strict=True)
        if one.score is not None
    }


def _paint(figure: Figure, curves: list[Curve], metric: str, target: float | None) -> None:
    by_bytes = drawing.byte_unit(max(one.num_bytes[-1] for one in curves))
    by_time = drawing.time_unit(max(one.ended_s[-1] for one in curves))
    first, second, third = figure.subplots(1, 3, sharey=True)
    coloured, others = _chosen(curves, metric)
    for place, one in [(None, one) for one in others] + list(enumerate(coloured)):
        _line(first, one, one.rounds, place)
        _line(second, one, [value / by_bytes.divisor for value in one.num_bytes], place)
        _line(third, one, [value / by_time.divisor for value in one.ended_s], place)
    drawing.whole_rounds(first)
    first.set_title("over rounds")
    first.set_ylabel(metric)
    second.set_title("over bytes")
    second.set_xlabel(f"sent in all, {by_bytes.name}")
    third.set_title("over time")
    third.set_xlabel(f"virtual {by_time.name}")
    if target is not None:
        for axes in (first, second, third):
            drawing.dashed_at(axes, target, f"target {target:g}" if axes is first else "")
    _legend(figure, first, len(others))


def _line(axes: Axes, one: Curve, x: Sequence[float], place: int | None) -> None:
    if place is None:
        axes.plot(x, one.mean, color=_PALE, linewidth=0.8, zorder=1)
        return
    color = drawing.PALETTE[place % len(drawing.PALETTE)]
    style = _STYLES[place // len(drawing.PALETTE)]
    label = one.label.replace("$", r"\$")
    drawing.line(axes, x, one.mean, color=color, linestyle=style, label=label, zorder=3)
    if one.least != one.most:
        axes.fill_between(x, one.least, one.most, color=color, alpha=0.18, linewidth=0, zorder=2)


def _chosen(curves: list[Curve], metric: str) -> tuple[list[Curve], list[Curve]]:
    """Those that are drawn in colour, and the others: all of few, the best of many."""
    if len(curves) <= MAX_LINES:
        return curves, []
    order = sorted(curves, key=lambda one: one.mean[-1], reverse=higher_is_better(metric))
    return order[:MAX_LINES], order[MAX_LINES:]


def _legend(figure: Figure, axes: Axes, num_others: int) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if num_others:
        (grey,) = axes.plot([], [], color=_PALE)
        handles, labels = [*handles, grey], [*labels, f"{num_others} others"]
    figure.legend(handles, labels, loc="outside lower left", ncols=max(1, min(3, len(labels))))
