"""The picture of a leakage drill: what was a node's, and what an attacker made of each view."""

from collections.abc import Sequence

import numpy as np

from fedtui.experiments import drawing
from fedtui.experiments.drawing import Figure, Picture
from fedtui.leakage.cohort import View
from fedtui.leakage.drill import Report, Strip

MOST_ROWS = 4
_CELL_INCHES = 1.05
_DPI = 80


def draw(report: Report, strips: Sequence[Strip], views: Sequence[View]) -> Picture:
    """PNG and SVG: a row for each victim (at most four), its picture first, then every view.

    Raises:
        NoPicturesError: matplotlib is missing.
    """
    shown = strips[:MOST_ROWS]
    titles = ["original", *(_title(report, view) for view in views)]

    def paint(figure: Figure) -> None:
        grid = figure.subplots(len(shown), len(titles), squeeze=False)
        for number, strip in enumerate(shown):
            cells = [strip.original, *(strip.made.get(view) for view in views)]
            for axes, title, cell in zip(grid[number], titles, cells, strict=True):
                axes.set_axis_off()
                if number == 0:
                    axes.set_title(title, fontsize=7, loc="center")
                if cell is not None:
                    axes.imshow(_pixels(cell), cmap="gray", vmin=0, vmax=1, interpolation="none")

    size = (_CELL_INCHES * len(titles), _CELL_INCHES * len(shown) + 0.5)
    return drawing.draw(size, paint, dpi=_DPI)


def _title(report: Report, view: View) -> str:
    what = "plain update" if view.nodes == 1 else f"sum of {view.nodes}"
    noise = "" if view.epsilon is None else f"epsilon {view.epsilon:g}"
    best = report.best(view)
    return f"{what}\n{noise}\nSSIM {best.mean:.2f}" if best else f"{what}\n{noise}"


def _pixels(picture: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> object:
    """As matplotlib takes it: (h, w) of grey, or (h, w, 3)."""
    return picture[0] if len(picture) == 1 else np.moveaxis(picture, 0, -1)
