"""What the demo shows while it runs: a live display on a terminal, plain lines elsewhere.

It draws `Progress`, which fedtui.demo.watch makes of what the coordinator says about itself.
"""

from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, slots=True)
class RoundRow:
    """One committed round; `accuracy` None until it was measured. Bytes are on the wire."""

    round: int
    seconds: float
    accuracy: float | None
    participants: int
    dropped: int
    bytes_up: int
    bytes_down: int


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node of the cohort under way: what it does, and how far it is (0 to 1)."""

    label: str
    standing: str
    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """All that the display needs; `sentence` is the coordinator's own."""

    sentence: str = "starting"
    metric: str = "accuracy"
    target: float | None = None
    max_rounds: int = 0
    nodes: tuple[NodeRow, ...] = ()
    rows: tuple[RoundRow, ...] = ()
    elapsed_s: float = 0.0
    ended: str = ""

    @property
    def best(self) -> float | None:
        """The best score so far."""
        return max((r.accuracy for r in self.rows if r.accuracy is not None), default=None)

    @property
    def left_s(self) -> float | None:
        """Seconds left if every round were used and took as long as those so far."""
        if not self.rows or not self.max_rounds:
            return None
        mean_s = sum(r.seconds for r in self.rows) / len(self.rows)
        return mean_s * max(0, self.max_rounds - len(self.rows))


class Display(Protocol):
    """Something that shows progress; used as a context manager."""

    def say(self, text: str) -> None: ...
    def show(self, progress: Progress) -> None: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class PlainDisplay:
    """One line per thing that happened, for pipes, logs and screen readers."""

    console: Console
    _num_rows: int = 0
    _sentence: str = ""
    _scored: set[int] = field(default_factory=set)

    def say(self, text: str) -> None:
        self.console.print(Text(text))

    def show(self, progress: Progress) -> None:
        for row in progress.rows:
            if row.round not in self._scored and row.accuracy is not None:
                self._scored.add(row.round)
                self.say(line_of(row, progress))
        if progress.sentence != self._sentence and progress.sentence.startswith("waiting"):
            self.say(progress.sentence)
        self._sentence = progress.sentence

    def close(self) -> None:
        pass


class LiveDisplay:
    """A panel that is redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._live.start()

    def say(self, text: str) -> None:
        self._live.console.print(Text(text))

    def show(self, progress: Progress) -> None:
        self._live.update(draw(progress))

    def close(self) -> None:
        self._live.stop()


def line_of(row: RoundRow, progress: Progress) -> str:
    """One round in a line."""
    score = "not measured" if row.accuracy is None else f"{row.accuracy:7.2%}"
    dropped = f", {row.dropped} dropped" if row.dropped else ""
    return (
        f"round {row.round:3d}  {progress.metric} {score}  {row.participants} nodes{dropped}  "
        f"{row.seconds:5.1f} s  up {readable(row.bytes_up)}  down {readable(row.bytes_down)}"
    )


def draw(progress: Progress) -> RenderableType:
    """The live panel: where it stands, the cohort, the rounds so far."""
    best = progress.best
    head = Table.grid(padding=(0, 2))
    head.add_row(Text(progress.sentence, style="bold"))
    goal = "" if progress.target is None else f" of {progress.target:.0%}"
    reached = "—" if best is None else f"{best:.2%}"
    left = "" if progress.left_s is None else f"   at most {progress.left_s:.0f} s left"
    head.add_row(Text(f"{progress.metric} {reached}{goal}   {progress.elapsed_s:.0f} s{left}"))
    parts: list[RenderableType] = [head]
    if progress.target:
        parts.append(ProgressBar(total=progress.target, completed=min(best or 0, progress.target)))
    if progress.nodes:
        parts.append(_cohort(progress.nodes))
    if progress.rows:
        parts.append(table_of(progress.rows[-8:], progress.metric))
    return Panel(Group(*parts), title="fedtui: one coordinator and its nodes", expand=True)


def _cohort(nodes: tuple[NodeRow, ...]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for node in nodes:
        bar = ProgressBar(total=1.0, completed=node.fraction, width=24)
        grid.add_row(Text(node.label), bar, Text(node.standing))
    return grid


def table_of(rows: tuple[RoundRow, ...], metric: str) -> Table:
    """Rounds as a table, for the display and for the summary."""
    table = Table(expand=False)
    for heading in ("round", metric, "nodes", "dropped", "seconds", "up", "down"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            str(row.round),
            "—" if row.accuracy is None else f"{row.accuracy:.2%}",
            str(row.participants),
            str(row.dropped),
            f"{row.seconds:.1f}",
            readable(row.bytes_up),
            readable(row.bytes_down),
        )
    return table


def readable(num_bytes: int) -> str:
    """Bytes for people: 1.2 MB."""
    size = float(num_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def open_display(console: Console, *, plain: bool) -> Display:
    """The live display where the terminal allows it, plain lines elsewhere."""
    if plain or not console.is_terminal or console.is_dumb_terminal:
        return PlainDisplay(console)
    return LiveDisplay(console)
