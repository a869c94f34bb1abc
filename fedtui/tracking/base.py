"""What a tracker is: whoever else wants the figures of finished rounds, to draw and to keep.

Figures are numbers by name, such as "score", "loss", "seconds", "bytes_up". A tracker is slow (it
writes files or asks a server), loads large packages, and may fail at any time with any error:
nothing that must go on waits for one.
"""

import importlib
from typing import Any, Protocol

from fedtui.errors import ExitCode, OperatorError


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
