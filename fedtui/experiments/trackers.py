"""The trackers of a simulated run (`--track NAME`): told after each finished round.

A tracker that fails is switched off with a warning; the run goes on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedtui.simulation.report import RoundReport
from fedtui.tracking import base


@dataclass(slots=True)
class Trackers:
    """Those of one run."""

    all: base.Trackers

    def begin(self, name: str, about: dict[str, str]) -> None:
        """A run begins or goes on."""
        self.all.begin(name, about)

    def round(self, report: RoundReport, at: float) -> None:
        """A round is finished, at `at` (UTC seconds)."""
        self.all.round(report.round, figures(report), at)

    def end(self) -> None:
        """The run is over, or stops here."""
        self.all.end()


def figures(report: RoundReport) -> dict[str, float]:
    """What of a round is tracked, by the names that a coordinator uses too."""
    named = (
        ("score", report.score),
        ("loss", report.loss),
        ("seconds", report.seconds),
        ("virtual_s", report.ended_s),
        ("bytes_up", report.bytes_up),
        ("bytes_down", report.bytes_down),
        ("participants", report.num_counted),
        ("dropped", report.num_invited - report.num_counted),
    )
    return {name: float(value) for name, value in named if value is not None}


def open_trackers(
    names: Sequence[str], folder: Path, warn: Callable[[str], None], *, uri: str = ""
) -> Trackers:
    """Build them, each with a folder of its own below `folder`. `uri` is for those with a server.

    Raises:
        TrackingError: there is no such tracker, or its package is missing.
    """
    built = {name: base.build_tracker(name, folder, uri) for name in dict.fromkeys(names)}
    return Trackers(base.Trackers(built, warn))
