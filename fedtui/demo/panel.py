"""The demo's live panel, fitted to the terminal's size; and the table of its summary. Pure.

phase and sentence
score, a bar with the target, a curve of all rounds
the cohort: a line each, or a strip of marks where there is no room
the last rounds
bytes, time
"""

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fedtui.demo.progress import (
    PHASES,
    UNKNOWN,
    NodeRow,
    Progress,
    RoundRow,
    duration,
    readable,
    score_text,
)
from fedtui.learning.metrics import higher_is_better

BLOCKS = "▁▂▃▄▅▆▇█"
MAX_TABLE = 40  # rounds of the summary; of more the first and the last are shown
WIDEST = 100
ECHO = 2  # columns left free: a terminal echoes Ctrl-C there, and must not begin a new line
FRAME = 4  # border and padding, left and right
GOOD, QUIET, LIVE = "green", "dim", "cyan"


def draw(progress: Progress, *, width: int = 80, height: int = 24) -> RenderableType:
    """The panel for a terminal of this size (from 40 by 12)."""
    wide = min(width - ECHO, WIDEST)
    inner = wide - FRAME
    room = height - 7  # border, phases, sentence, traffic; the cursor's line; a spare one
    parts: list[RenderableType] = [_phases(progress.phase), _fitted(progress.sentence, inner)]
    if progress.rows:
        tall = 3 if room >= 12 and len(progress.rows) > 1 else 1
        parts += [Text(), *_score(progress, inner), *_curve(progress, inner, tall)]
        room -= 2 + tall
    if progress.nodes:
        fits = len(progress.nodes) < max(2, room)
        shown = _cohort(progress.nodes, inner) if fits else _strip(progress.nodes, inner)
        parts += [Text(), shown]
        room -= 1 + (len(progress.nodes) if fits else 1)
    if progress.rows and room >= 5:
        parts += [Text(), table_of(progress.rows[-(room - 3) :], progress.metric)]
    parts += [Text(), _traffic(progress)] if progress.rows else [_traffic(progress)]
    title = f"fedtui · {progress.task}" if progress.task else "fedtui"
    return Panel(Group(*parts), title=Text(title), box=box.ROUNDED, border_style=QUIET, width=wide)


def _phases(phase: str) -> Text:
    """The four phases of a round, the present one marked."""
    line = Text(no_wrap=True, overflow="ellipsis")
    for name in PHASES:
        line.append(" ─ " if line else "", style=QUIET)
        line.append(f"● {name}" if name == phase else f"○ {name}", _phase_style(name, phase))
    return line


def _phase_style(name: str, phase: str) -> str:
    return f"bold {LIVE}" if name == phase else QUIET


def _fitted(text: str, width: int) -> Text:
    """One line, whatever came."""
    line = Text(text, style="bold", no_wrap=True, overflow="ellipsis")
    line.truncate(width, overflow="ellipsis")
    return line


def _score(progress: Progress, width: int) -> list[Text]:
    """The best score, and for accuracy a bar from 0 to 1 with the target marked in it."""
    best, target = progress.best, progress.target
    if best is None:
        return [Text(f"{progress.metric}: being measured")]
    met = target is not None and _reached(progress.metric, best, target)
    colour = GOOD if met else LIVE
    line = Text(f"{progress.metric} ", no_wrap=True)
    line.append(f"{score_text(progress.metric, best)} ", style=f"bold {colour}")
    goal = "" if target is None else f" target {score_text(progress.metric, target)}"
    if progress.metric == "accuracy":
        line.append_text(_bar(best, target, max(8, width - len(line) - len(goal)), colour))
    line.append(goal, style=GOOD if met else QUIET)
    return [line]


def _bar(value: float, target: float | None, width: int, colour: str) -> Text:
    """`value` of 1 as a bar with a mark where the target is."""
    filled = round(min(max(value, 0.0), 1.0) * width)
    bar = Text("━" * filled, style=colour)
    bar.append("─" * (width - filled), style=QUIET)
    if target is not None and 0.0 <= target <= 1.0:
        at = min(width - 1, round(target * width))
        return bar[:at] + Text("┃", style=f"bold {GOOD}") + bar[at + 1 :]
    return bar


def _reached(metric: str, score: float, target: float) -> bool:
    return score >= target if higher_is_better(metric) else score <= target


def _curve(progress: Progress, width: int, tall: int) -> list[Text]:
    """The scores of the rounds as columns of `tall` lines; the newest at the right."""
    scores = [row.accuracy for row in progress.rows if row.accuracy is not None]
    if not scores:
        return [Text()] * tall
    names = [score_text(progress.metric, value) for value in (max(scores), min(scores))]
    margin = max(len(name) for name in names) + 1
    each = 2 if 2 * len(scores) <= width - margin else 1
    shown = scores[-((width - margin) // each) :]
    low, span = min(scores), (max(scores) - min(scores)) or 1.0
    steps = [1 + round((value - low) / span * (8 * tall - 1)) for value in shown]
    lines = []
    for above in reversed(range(tall)):
        columns = (min(max(step - 8 * above, 0), 8) for step in steps)
        drawn = "".join((f" {BLOCKS}"[full]) * (1 if each == 1 else 2) for full in columns)
        name = names[0] if above == tall - 1 else names[1] if above == 0 else ""
        line = Text(name.rjust(margin - 1) + " ", style=QUIET, no_wrap=True)
        lines.append(line.append(drawn, style=LIVE))
    return lines


def _cohort(nodes: tuple[NodeRow, ...], width: int) -> Table:
    """A line for each node."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(max_width=max(8, width // 4), no_wrap=True, overflow="ellipsis")
    for _ in range(2):
        grid.add_column(no_wrap=True, overflow="ellipsis")
    long = max(8, width - max(8, width // 4) - 24)
    for node in nodes:
        done = node.fraction >= 1.0
        bar = ProgressBar(total=1.0, completed=node.fraction, width=long, complete_style=LIVE)
        style = GOOD if done else ""
        grid.add_row(Text(node.label), bar, Text(node.standing, style=style))
    return grid


def _strip(nodes: tuple[NodeRow, ...], width: int) -> Text:
    """One mark for each node: a dot before it began, a block that grows, a tick when done."""
    done = sum(node.fraction >= 1.0 for node in nodes)
    line = Text(f"{done} of {len(nodes)} participants are done ", no_wrap=True)
    room = max(8, width - len(line))
    for node in nodes[:room]:
        if node.fraction >= 1.0:
            line.append("✓", style=GOOD)
        elif node.fraction <= 0.0:
            line.append("·", style=QUIET)
        else:
            line.append(BLOCKS[min(7, int(node.fraction * 8))], style=LIVE)
    return line


def _traffic(progress: Progress) -> Text:
    up = [row.bytes_up for row in progress.rows if row.bytes_up is not None]
    down = [row.bytes_down for row in progress.rows if row.bytes_down is not None]
    known = len(up) == len(down) == len(progress.rows) > 0
    parts = [duration(progress.elapsed_s)]
    if progress.left_s is not None and not progress.ended:
        parts.append(f"at most about {duration(progress.left_s)} left")
    if known:
        parts.append(f"up {readable(sum(up))} down {readable(sum(down))}")
    return Text(" · ".join(parts), style=QUIET, no_wrap=True, overflow="ellipsis")


def table_of(rows: tuple[RoundRow, ...], metric: str) -> Table:
    """Rounds as a table, for the display and for the summary; it fits into 56 columns.

    Bytes have their columns once any are known.
    """
    moved = any(row.bytes_up is not None for row in rows)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    for heading in ("round", metric, "nodes", "time", *(("up", "down") if moved else ())):
        table.add_column(heading, justify="right", no_wrap=True)
    left_out = len(rows) - MAX_TABLE
    for number, row in enumerate(rows):
        if left_out <= 0 or number < MAX_TABLE // 2 or number >= len(rows) - MAX_TABLE // 2:
            table.add_row(*_cells(row, metric)[: len(table.columns)])
        elif number == MAX_TABLE // 2:
            table.add_row("…")
    return table


def _cells(row: RoundRow, metric: str) -> tuple[str, ...]:
    asked = row.participants + row.dropped
    return (
        str(row.round),
        UNKNOWN if row.accuracy is None else score_text(metric, row.accuracy),
        f"{row.participants} of {asked}",
        f"{row.seconds:.1f} s",
        readable(row.bytes_up),
        readable(row.bytes_down),
    )
