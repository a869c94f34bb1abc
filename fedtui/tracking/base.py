"""What a tracker is: whoever else wants the figures of finished rounds, to draw and to keep.

Figures are numbers by name, such as "score", "loss", "seconds", "bytes_up". A tracker is slow (it
writes files or asks a server), loads large packages, and may fail at any time with any error:
nothing that must go on waits for one.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fedtui import plugins
from fedtui.errors import ExitCode, OperatorError

WITH_SERVER = ("mlflow",)


class TrackingError(OperatorError):
    """A tracker cannot be used: what is missing, or what it answered."""

    exit_code = ExitCode.UNAVAILABLE


class Tracker(Protocol):
    """One tracker. Built with `folder` (a path, where it may keep things) and `uri` (or "")."""

    def begin(self, name: str, about: dict[str, str]) -> None:
        """A run of this name begins, or goes on; `about` are its settings, by name.

        Raises:
            TrackingError: it cannot be written.
        """

    def round(self, number: int, figures: dict[str, float], at: float) -> None:
        """Figures of a finished round at `at` (UTC seconds); a later call adds others of it."""

    def end(self) -> None:
        """Nothing will follow; all is written."""


def package(name: str, extra: str) -> Any:
    """Import what an extra installs.

    Raises:
        TrackingError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise TrackingError(
            f"{extra} needs a package that is not installed: pip install 'fedtui[{extra}]'"
        ) from error


@dataclass(slots=True)
class Trackers:
    """Those that are still on, by name; `warn` says which one was switched off and why."""

    running: dict[str, Tracker]
    warn: Callable[[str], None]

    def begin(self, name: str, about: dict[str, str]) -> None:
        """A run begins or goes on."""
        self._each(lambda tracker: tracker.begin(name, about))

    def round(self, number: int, figures: dict[str, float], at: float) -> None:
        """Figures of a finished round, at `at` (UTC seconds)."""
        self._each(lambda tracker: tracker.round(number, figures, at))

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


def build_tracker(name: str, folder: Path, uri: str = "") -> Tracker:
    """A tracker with a folder of its own below `folder`; `uri` is for those that have a server.

    Raises:
        TrackingError: there is no such tracker, or its package is missing.
    """
    known = plugins.names("tracking")
    if name not in known:
        raise TrackingError(f"there is no tracker {name!r}; there are: {', '.join(known)}")
    theirs = uri if name in WITH_SERVER else ""
    built: Tracker = plugins.build("tracking", name, folder=str(folder / name), uri=theirs)
    return built
