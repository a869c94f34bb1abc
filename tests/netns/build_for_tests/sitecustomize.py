"""The screen as a test builds it: with this folder on PYTHONPATH it writes down when it ticks.

Each tick of the refresh adds a line to the file that TICKS names: the time on the screen's own
event loop, in seconds.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any


def build_screen(ticks: Path) -> None:
    from fedtui.tui.app import FedtuiApp  # noqa: PLC0415 - only the program that draws has it

    refresh = FedtuiApp.refresh_view

    def refresh_for_tests(self: Any) -> None:
        refresh(self)
        with ticks.open("a") as sink:
            sink.write(f"{asyncio.get_running_loop().time()}\n")

    FedtuiApp.refresh_view = refresh_for_tests


if os.environ.get("TICKS") and Path(sys.orig_argv[-1]).name == "fedtui":
    build_screen(Path(os.environ["TICKS"]))
