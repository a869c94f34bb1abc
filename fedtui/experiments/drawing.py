"""How pictures of runs look, and how a figure becomes PNG and SVG.

Colours are those of Okabe and Ito (2008), which colour-blind people can tell apart. Equal numbers
give equal bytes of SVG: no date, no random identifiers, nobody's own matplotlib settings. Nothing
here touches pyplot or its global state.
"""

import importlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from fedtui.errors import ExitCode, OperatorError
from fedtui.experiments.disk import write_whole

BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, SKY, BLACK = "#CC79A7", "#56B4E9", "#222222"
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
GREY = "#8a8f98"
FEW_POINTS = 25

Axes: TypeAlias = Any  # matplotlib is an extra: its types are not there where it is not installed
Figure: TypeAlias = Any

_STYLE = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.labelcolor": "#333333",
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.formatter.useoffset": False,
    "grid.color": "#e6e8eb",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.8,
    "lines.markersize": 4,
    "lines.solid_capstyle": "round",
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": "#333333",
    "ytick.labelcolor": "#333333",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "savefig.facecolor": "white",
    "svg.hashsalt": "fedtui",
}


class NoPicturesError(OperatorError):
    """Pictures need matplotlib, which is not installed."""

    exit_code = ExitCode.UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Picture:
    """The same figure twice: PNG for screens, SVG for print."""

    png: bytes
    svg: bytes

    def write(self, path: Path) -> tuple[Path, Path]:
        """Put both beside each other, as PATH with the endings .png and .svg. DiskError."""
        png, svg = path.with_suffix(".png"), path.with_suffix(".svg")
        write_whole(png, self.png)
        write_whole(svg, self.svg)
        return png, svg


@dataclass(frozen=True, slots=True)
class Unit:
    """What numbers are divided by before they stand at an axis, and what they are then called."""

    divisor: float
    name: str


_BYTES = (Unit(1e12, "TB"), Unit(1e9, "GB"), Unit(1e6, "MB"), Unit(1e3, "kB"), Unit(1, "bytes"))
_SECONDS = (
    Unit(86_400, "days"),
    Unit(3600, "hours"),
    Unit(60, "minutes"),
    Unit(1, "seconds"),
    Unit(1e-3, "milliseconds"),
)


def byte_unit(largest: float) -> Unit:
    """The unit in which so many bytes are a readable number."""
    return _fitting(_BYTES, largest, least=1)


def time_unit(largest_s: float) -> Unit:
    """The unit in which so many seconds are a readable number; from three units up."""
    return _fitting(_SECONDS, largest_s, least=3)


def draw(
    size_inches: tuple[float, float], paint: Callable[[Figure], None], *, dpi: int = 150
) -> Picture:
    """What `paint` puts on an empty figure.

    Raises:
        NoPicturesError: matplotlib is missing.
    """
    matplotlib, figures = _module("matplotlib"), _module("matplotlib.figure")
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        figure = figures.Figure(figsize=size_inches, layout="constrained")
        paint(figure)
        png, svg = io.BytesIO(), io.BytesIO()
        figure.savefig(png, format="png", dpi=dpi, metadata={"Software": None})
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": "fedtui"})
    return Picture(png.getvalue(), svg.getvalue())


def whole_rounds(axes: Axes) -> None:
    """The x axis counts rounds."""
    ticks = _module("matplotlib.ticker").MaxNLocator(integer=True, nbins=8, steps=[1, 2, 5, 10])
    axes.xaxis.set_major_locator(ticks)
    axes.set_xlabel("round")


def line(axes: Axes, x: Sequence[float], y: Sequence[float], *, color: str, **more: Any) -> None:
    """A line, with its points marked where they are few."""
    axes.plot(x, y, color=color, marker="o" if len(x) <= FEW_POINTS else "", **more)


def nothing_yet(axes: Axes, text: str) -> None:
    """Say why nothing is drawn here."""
    axes.set_axis_off()
    axes.annotate(text, xy=(0, 1), xycoords="axes fraction", va="top", color="#555555")


def dashed_at(axes: Axes, level: float, text: str) -> None:
    """A horizontal level that something should reach."""
    axes.margins(y=0.1)  # room for the text at the upper edge
    axes.axhline(level, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        text,
        xy=(0, level),
        xycoords=("axes fraction", "data"),
        xytext=(4, 3),
        textcoords="offset points",
        fontsize=8,
        color="#555555",
    )


def _fitting(units: Sequence[Unit], largest: float, *, least: float) -> Unit:
    return next((unit for unit in units if largest >= least * unit.divisor), units[-1])


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise NoPicturesError(
            "pictures of runs need matplotlib, which is not installed: pip install "
            "'fedtui[results]'"
        ) from error
