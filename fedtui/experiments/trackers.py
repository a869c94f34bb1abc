"""The trackers of a simulated run (`--track NAME`): told after each finished round, off the way.

A tracker that fails is switched off with a warning; the run goes on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedtui import plugins
from fedtui.simulation.report import RoundReport
from fedtui.tracking.base import Tracker, TrackingError


@dataclass(slots=True)
class Trackers:
    """Those that are still on, by name; `warn` says which one was switched off and why."""

    running: dict[str, Tracker]
    warn: Callable[[str], None]

    def begin(self, name: str, about: dict[str, str]) -> None:
        """A run begins or goes on."""
        self._each(lambda tracker: tracker.begin(name, about))

    def round(self, report: RoundReport, at: float) -> None:
        """A round is finished, at `at` (UTC seconds)."""
        figures = {
            name: float(value)
            for name, value in (
                ("score", report.score),
                ("loss", report.loss),
                ("seconds", report.seconds),
                ("virtual_s", report.ended_s),
                ("bytes_up", report.bytes_up),
                ("bytes_down", report.bytes_down),
                ("participants", report.num_counted),
            )
            if value is not None
        }
        self._each(lambda tracker: tracker.round(report.round, figures, at))

    def end(self) -> None:
        """The run is over, or stops here."""
        self._each(lambda tracker: tracker.end())

    def _each(self, tell: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self.running.items()):
            try:
                tell(tracker)
            except Exception as error:  # noqa: BLE001  packages of others; the run matters more
                del self.running[name]
                self.warn(f"{name} is switched off: {error}")


def open_trackers(
    names: Sequence[str], folder: Path, warn: Callable[[str], None], *, uri: str = ""
) -> Trackers:
    """Build them, each with a folder of its own below `folder`. `uri` is for those with a server.

    Raises:
        TrackingError: there is no such tracker, or its package is missing.
    """
    known = plugins.names("tracking")
    for name in names:
        if name not in known:
            raise TrackingError(f"there is no tracker {name!r}; there are: {', '.join(known)}")
    return Trackers(
        {
            name: plugins.build(
                "tracking",
                name,
                folder=str(folder / name),
                uri="" if name == "tensorboard" else uri,
            )
            for name in dict.fromkeys(names)
        },
        warn,
    )
