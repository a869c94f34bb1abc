"""Training: how far local work is, its loss, and the trainer that does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.content import Content

from fedtui.tui import wording
from fedtui.tui.lines import Piece
from fedtui.tui.panes import saying
from fedtui.tui.panes.round import deadline
from fedtui.tui.widgets import chart
from fedtui.tui.widgets.pane import Pane
from fedtui.tui.widgets.sparkline import bar

if TYPE_CHECKING:
    from fedtui.tui.view import View

STALLED_S = 5.0
MAX_BAR = 24


def stalled(view: View) -> str:
    """'stalled 7 s' when the trainer should say something and does not."""
    training, now = view.status.training, view.frozen_at or view.now
    if view.status.round.phase != "train" or not training.reported_at or view.lost_at is not None:
        return ""
    silent = now - training.reported_at
    return f"stalled {wording.span(silent)}" if silent > STALLED_S else ""


def progress(view: View, width: int) -> Content:
    """One row: the epoch, a bar, the batch, the speed, the loss; what has no room goes."""
    training = view.status.training
    head = f"epoch {training.epoch}/{training.num_epochs} "
    left = f"{wording.clock(training.left_s)} left" if training.left_s is not None else ""
    pieces = [
        Piece(f"{training.batch}/{training.num_batches}"),
        Piece(stalled(view), "bold $alarm"),
        Piece(
            f"loss {wording.number(training.loss)}" if training.loss is not None else "", rank=2
        ),
        Piece(f"{training.examples_per_s:,.0f} ex/s" if training.examples_per_s else "", rank=3),
        Piece(left, "$quiet", rank=4),
    ]
    room = width - len(head) - 1
    size = min(MAX_BAR, max(6, room // 3))
    tail = saying.row(max(1, room - size), *pieces)
    share = training.batch / training.num_batches if training.num_batches else 0.0
    return saying.cut(
        Content.assemble(head, bar(share, size, view.glyphs), " ", tail),
        width,
    )


def losses(view: View, width: int, height: int) -> list[Content]:
    """The curve of the last batches."""
    values = view.status.training.losses
    if not values:
        return []
    plot = chart.Plot(
        series=(chart.Series(values, "$mine"),),
        left=f"loss, {len(values)} batches",
        right="now" if view.status.round.phase == "train" else "end",
        is_log=view.log_scale,
    )
    return chart.draw(plot, width, height, view.glyphs)


def epochs(view: View, width: int, most: int) -> list[Content]:
    """A bar for each epoch, the newest `most` of them."""
    training = view.status.training
    first = max(1, min(training.epoch - most // 2, training.num_epochs - most + 1))
    made = []
    for epoch in range(first, min(training.num_epochs, first + most - 1) + 1):
        share = 1.0 if epoch < training.epoch else 0.0
        note = "done" if epoch < training.epoch else ""
        if epoch == training.epoch and training.num_batches:
            share = training.batch / training.num_batches
            note = f"{training.batch}/{training.num_batches}"
        head = f"epoch {epoch}/{training.num_epochs} "
        made.append(
            saying.cut(
                Content.assemble(
                    head,
                    bar(share, min(40, max(6, width - len(head) - 12)), view.glyphs),
                    (f" {note}", "$quiet" if note == "done" else ""),
                ),
                width,
            )
        )
    return made


class TrainingPane(Pane):
    """Progress and the loss curve."""

    TITLE = "Training"
    OPENS = "scr.2"
    HELP: ClassVar[str] = (
        "What the trainer on this machine does now: epoch, batch, examples per second, and the "
        "loss of the last batches; each column of the curve holds its lowest and its highest."
    )

    def look(self, view: View, width: int, height: int) -> list[Content]:
        status = view.status
        if rows := saying.idle(view, width):
            return rows
        if not status.training.num_epochs:
            return [
                *saying.sentence(status.sentence, width),
                Content.styled("no training on this machine yet", "$quiet"),
            ]
        return [progress(view, width), *losses(view, width, height - 1)]


class FullTrainingPane(TrainingPane):
    """With a bar for each epoch, where there is room."""

    def look(self, view: View, width: int, height: int) -> list[Content]:
        if height < 12 or not view.status.training.num_epochs:
            return super().look(view, width, height)
        bars = epochs(view, width, min(5, height - 9))
        rows = [progress(view, width), *bars, Content()]
        return [*rows, *losses(view, width, height - len(rows))]


class TrainerPane(Pane):
    """The process that trains: how long it still takes, what it may use and uses."""

    TITLE = "Trainer"
    HELP: ClassVar[str] = (
        "The process that trains, and what it may use of this machine. [t] changes it."
    )

    def look(self, view: View, width: int, height: int) -> list[Content]:  # noqa: ARG002
        status, machine, limits = view.status, view.status.machine, view.status.limits
        training = status.training
        known: list[saying.Fact] = [
            ("left", wording.clock(training.left_s) if training.left_s is not None else "-"),
            ("deadline", deadline(view).text.removeprefix("deadline "), deadline(view).style),
            ("silent", stalled(view), "bold $alarm"),
            ("loss", wording.number(training.loss, 4)),
            ("examples", f"{training.examples_per_s:,.0f}/s" if training.examples_per_s else "-"),
            ("device", machine.device),
            ("cpu", f"{machine.cpu_percent:.0f} % of {machine.num_cores or '?'} cores"),
            (
                "memory",
                f"{machine.trainer_memory_mb:.0f} MB" if machine.trainer_memory_mb else "-",
            ),
            (
                "process",
                f"pid {machine.trainer_pid}, nice {machine.trainer_nice}, "
                f"{machine.trainer_threads} thread{'s' * (machine.trainer_threads != 1)}"
                if machine.trainer_pid
                else "not running",
            ),
            ("restarts", str(machine.trainer_restarts) if machine.trainer_restarts else ""),
            ("cpu cap", f"{limits.cpu_percent} %"),
            ("drift", status.drift.words() if status.drift else ""),
            ("plan", status.plan.training if status.plan else "", "$quiet"),
            ("model", status.plan.model if status.plan else "", "$quiet"),
        ]
        return saying.facts(known, width)
