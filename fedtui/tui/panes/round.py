"""Round: the phases of the round under way, or of the last one, and what it waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.content import Content

from fedtui.tui import wording
from fedtui.tui.lines import Piece, fit
from fedtui.tui.panes import saying
from fedtui.tui.widgets import timeline
from fedtui.tui.widgets.pane import Pane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedtui.status import NodeStatus, Step, StepState
    from fedtui.tui.view import View

PHASES: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("selected", "sel", frozenset({"selected"})),
    ("download", "down", frozenset({"download"})),
    ("train", "train", frozenset({"train"})),
    ("mask", "mask", frozenset({"share", "mask"})),
    ("upload", "up", frozenset({"upload"})),
    ("unmask", "unmask", frozenset({"confirm"})),
    ("aggregated", "agg", frozenset({"aggregate", "evaluate"})),
)


def phases(status: NodeStatus) -> list[timeline.Phase]:
    """The seven phases of the round as the node lived them."""
    made = []
    for name, short, kinds in PHASES:
        steps = [step for step in status.round.steps if step.phase in kinds]
        state = _state(steps) if status.round.steps else _guess(status, kinds)
        made.append(
            timeline.Phase(
                name=name, short=short, state=state, note=note(steps, state, status, name)
            )
        )
    return made


def _state(steps: Sequence[Step]) -> StepState:
    """Of the steps that make one phase; a phase that the plan does not have is skipped."""
    states = {step.state for step in steps}
    for state in ("failed", "now"):
        if state in states:
            return state
    if "done" in states:
        return "now" if "waiting" in states else "done"
    return "waiting" if "waiting" in states else "skipped"


def _guess(status: NodeStatus, kinds: frozenset[str]) -> StepState:
    """Where the node told no steps: by the phase alone."""
    order = [one for _, _, group in PHASES for one in sorted(group)]
    if not status.round.phase:
        return "waiting"
    if status.round.phase in kinds:
        return "now"
    place = order.index(status.round.phase)
    return "done" if all(order.index(one) < place for one in kinds) else "waiting"


def note(steps: Sequence[Step], state: StepState, status: NodeStatus, name: str) -> str:
    """Bytes and seconds of a phase; of training under way the time so far and in all."""
    if state == "now" and name == "train":
        return training_time(status)
    if state in {"waiting", "skipped"}:
        return ""
    size = sum(step.num_bytes for step in steps)
    seconds = sum(step.seconds for step in steps)
    parts = (
        wording.size(size).replace(" ", "") if size else "",
        wording.span(seconds).replace(" ", "") if seconds else "",
    )
    return " ".join(part for part in parts if part)


def training_time(status: NodeStatus) -> str:
    """So far, and in all as far as that can be estimated: '0:14/0:22'."""
    step = next((one for one in status.round.steps if one.phase == "train"), None)
    seconds = step.seconds if step is not None else 0.0
    if status.training.left_s is None or not seconds:
        return wording.clock(seconds) if seconds else ""
    return f"{wording.clock(seconds)}/{wording.clock(seconds + status.training.left_s)}"


def deadline(view: View) -> Piece:
    """How long the phase may still take; `!` where the estimate of training is beyond it."""
    now, status = view.frozen_at or view.now, view.status
    if not status.round.deadline_at or not status.round.phase:
        return Piece("")
    left = status.round.deadline_at - now
    if left <= 0:
        return Piece("deadline passed", "$alarm")
    too_long = (status.training.left_s or 0.0) > left and status.round.phase == "train"
    text = f"deadline {wording.span(round(left)) if left < 60 else wording.clock(left)}"
    text = text.replace(".0 s", " s")
    return Piece(f"{view.glyphs.warn} {text}" if too_long else text, "$alarm" if too_long else "")


class RoundPane(Pane):
    """The timeline of the round."""

    TITLE = "Round"
    OPENS = "scr.3"
    HELP: ClassVar[str] = (
        "The phases of the round: what is done, under way or to come, how long each took and how "
        "many bytes it moved. Masks: what leaves is masked, and only the sum can be opened."
    )

    def title(self, view: View) -> Content:
        status = view.status
        if not status.round.number:
            return Content("Round")
        of = f"/{status.plan.max_rounds}" if status.plan and status.plan.max_rounds else ""
        again = f" (attempt {status.round.attempt})" if status.round.attempt > 1 else ""
        return Content(f"Round {status.round.number}{of}{again}")

    def look(self, view: View, width: int, height: int) -> list[Content]:
        status = view.status
        if not status.round.number:
            words = "no round yet" if status.plan else "no round: this node is in no federation"
            if status.waiting:
                words = f"no round yet: {status.waiting.have} of {status.waiting.need} nodes here"
            return [Content.styled(words, "$quiet")]
        rows = timeline.draw(phases(status), width, view.glyphs)
        if status.round.sat_out and height > 1:
            rows = [*rows[:1], saying.cut(self._sat_out(status), width), *rows[1:]]
        return rows

    def note(self, view: View, width: int) -> Content:
        status = view.status
        if status.round.sat_out:
            return saying.cut(self._sat_out(status), width - 2)
        waits = (
            Piece(f"waiting for {status.round.have} of {status.round.need}")
            if status.round.need and status.round.phase
            else Piece("")
        )
        time = training_time(status) if status.round.phase == "train" else ""
        rows = timeline.draw(phases(status), width, view.glyphs)
        is_said = any(time in row.plain for row in rows)
        train = Piece("" if is_said else f"train {time}", rank=1)
        pieces = [piece for piece in (train, waits, deadline(view)) if piece.text]
        return fit(pieces, width - 2)

    @staticmethod
    def _sat_out(status: NodeStatus) -> Content:
        return Content.styled(f"sat out: {status.round.sat_out}", "$unverified")
