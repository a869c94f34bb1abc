"""What the demo shows while it runs: a live display on a terminal, plain lines elsewhere.

It draws `Progress`, which fedtui.demo.watch makes of what the coordinator says about itself; how
the live panel looks is in fedtui.demo.panel.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from fedtui.demo.panel import draw
from fedtui.demo.progress import Progress, RoundRow, readable, score_text


class Display(Protocol):
    """Something that shows progress; `is_live` says whether it has a terminal to itself."""

    is_live: bool

    def say(self, text: str) -> None: ...
    def show(self, progress: Progress) -> None: ...
    def hide(self) -> None:
        """Leave the terminal to something else until the next `show`."""

    def close(self) -> None: ...


@dataclass(slots=True)
class PlainDisplay:
    """One line per thing that happened, for pipes, logs and screen readers."""

    console: Console
    is_live: bool = False
    _sentence: str = ""
    _told: set[int] = field(default_factory=set)

    def say(self, text: str) -> None:
        self.console.print(Text(text), soft_wrap=True)

    def show(self, progress: Progress) -> None:
        for row in progress.rows:
            over = row.accuracy is not None or row is not progress.rows[-1] or progress.ended
            if over and row.round not in self._told:
                self._told.add(row.round)
                self.say(line_of(row, progress))
        if progress.sentence != self._sentence and progress.sentence.startswith("waiting"):
            self.say(progress.sentence)
        self._sentence = progress.sentence

    def hide(self) -> None:
        pass

    def close(self) -> None:
        pass


class LiveDisplay:
    """A panel that is redrawn in place, below the lines that were said."""

    is_live = True

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._shown, self._at = Progress(), clock()
        self._live = Live(
            console=console, refresh_per_second=8, transient=True, get_renderable=self._draw
        )
        self._live.start()

    def say(self, text: str) -> None:
        self._live.console.print(Text(text))

    def show(self, progress: Progress) -> None:
        self._shown, self._at = progress, self._clock()
        if not self._live.is_started:
            self._live.start()

    def hide(self) -> None:
        self._live.stop()

    def close(self) -> None:
        self._live.stop()

    def _draw(self) -> RenderableType:
        """The panel as it is now: its clock goes on between two things that happen."""
        size = self._console.size
        since_s = self._clock() - self._at
        now = replace(self._shown, elapsed_s=self._shown.elapsed_s + since_s)
        return draw(now, width=size.width, height=size.height)


def line_of(row: RoundRow, progress: Progress) -> str:
    """One round in a line."""
    score = "not measured"
    if row.accuracy is not None:
        score = score_text(progress.metric, row.accuracy).rjust(7)
    nodes = "1 node " if row.participants == 1 else f"{row.participants} nodes"
    dropped = f", {row.dropped} dropped" if row.dropped else ""
    moved = ""
    if row.bytes_up is not None and row.bytes_down is not None:
        moved = f"  up {readable(row.bytes_up)}  down {readable(row.bytes_down)}"
    return (
        f"round {row.round:3d}  {progress.metric} {score}  {nodes}{dropped}  "
        f"{row.seconds:5.1f} s{moved}"
    )


def open_display(console: Console, *, plain: bool) -> Display:
    """The live display where the terminal allows it, plain lines elsewhere."""
    if plain or not console.is_terminal or console.is_dumb_terminal:
        return PlainDisplay(console)
    return LiveDisplay(console)
