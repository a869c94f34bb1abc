"""What rounds of one size cost, and straight lines through several sizes, as table and picture.

Cost over size, on logarithmic axes and on plain ones. The plain line is fitted to relative errors
(weights 1/y), or the largest size alone would decide it.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.results.section import Table
from fedtui.experiments import drawing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.simulated import Run
    from fedtui.experiments.drawing import Figure, Picture


_POWER = {"linewidth": 1, "linestyle": (0, (2, 2))}
COLUMNS = ("s a round", "CPU s", "bytes up a node", "down", "peak MB")


def costs(run: Run, nodes: int) -> list[str]:
    """The cells under COLUMNS; `nodes` is how many took part in each round."""
    later = run.rounds[1:]
    return [
        f"{run.median_s:.3g}",
        f"{run.cpu_a_round_s:.3g}",
        f"{statistics.median(one['bytes_up'] for one in later) / nodes:,.0f}",
        f"{statistics.median(one['bytes_down'] for one in later) / nodes:,.0f}",
        f"{run.peak_mb:,.0f}",
    ]


@dataclass(frozen=True, slots=True)
class Fit:
    """y = fixed + each * x, and y = scale * x ** power with that line's R^2 in logarithms."""

    fixed: float
    each: float
    scale: float
    power: float
    r2: float


def fit(x: Sequence[float], y: Sequence[float]) -> Fit:
    """Least squares; x and y are above 0, and two points or more."""
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    each, fixed = np.polyfit(xs, ys, 1, w=1 / ys)
    power, level = np.polyfit(np.log(xs), np.log(ys), 1)
    left = np.log(ys) - (power * np.log(xs) + level)
    spread = np.log(ys) - np.log(ys).mean()
    r2 = 1 - float(left @ left) / float(spread @ spread) if spread.any() else 1.0
    return Fit(float(fixed), float(each), float(np.exp(level)), float(power), r2)


@dataclass(frozen=True, slots=True)
class Series:
    """CPU seconds a round by size, under one name."""

    name: str
    x: Sequence[float]
    seconds: Sequence[float]


def table(series: Sequence[Series], *, each: str) -> Table:
    """A row per series; `each` is what one more of x is called."""
    rows = []
    for one in series:
        line = fit(one.x, one.seconds)
        power = f"{line.power:.2f}"
        rows.append([one.name, f"{line.fixed:.2g}", f"{line.each:.2g}", power, f"{line.r2:.3f}"])
    columns = ["masks", "fixed, s", f"each {each}, s", "power of the size", "R² in logarithms"]
    return Table(columns, rows)


def picture(series: Sequence[Series], *, label: str) -> Picture:
    """Points as measured, and both lines through them, on logarithmic axes."""

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.set(xscale="log", yscale="log", xlabel=label, ylabel="CPU seconds a round")
        for one, color in zip(series, drawing.PALETTE, strict=False):
            line = fit(one.x, one.seconds)
            axes.plot(one.x, one.seconds, "o", color=color, label=f"masks {one.name}")
            along = np.geomspace(min(one.x), max(one.x), 100)
            heights = line.fixed + line.each * along
            shown = heights > 0
            axes.plot(along[shown], heights[shown], color=color, linewidth=1)
            axes.plot(along, line.scale * along**line.power, color=color, **_POWER)
        axes.plot([], [], color=drawing.GREY, linewidth=1, label="fixed + each")
        axes.plot([], [], color=drawing.GREY, **_POWER, label="power of the size")
        axes.legend(loc="upper left")

    return drawing.draw((7.0, 4.0), paint)
