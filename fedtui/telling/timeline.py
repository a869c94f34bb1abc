"""The timeline of one attempt at a round: its phases, how long each took, and its bytes. Pure.

At most one step is `now`; those before it are done or were skipped, those after it wait. Bytes and
seconds of the moments given go to the step that was `now` until then, so the steps together have
exactly what passed while any of them was: nothing is estimated. Bytes are whole frames of the
link, both ways.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fedtui.status import Step

if TYPE_CHECKING:
    from fedtui.status import Phase, StepState

MASKED: tuple[Phase, ...] = (
    "selected",
    "download",
    "train",
    "share",
    "mask",
    "upload",
    "confirm",
    "aggregate",
)
VISIBLE: tuple[Phase, ...] = ("selected", "download", "train", "upload", "aggregate")
MEASURED: tuple[Phase, ...] = ("evaluate",)


@dataclass(frozen=True, slots=True)
class Moment:
    """UTC seconds, and the bytes of all frames that the link had carried by then."""

    at: float
    sent: int = 0
    received: int = 0


@dataclass(slots=True)
class _Step:
    phase: Phase
    state: StepState = "waiting"
    began_at: float = 0.0
    seconds: float = 0.0
    sent: int = 0
    received: int = 0


class Timeline:
    """Begins with the first of its `phases` under way."""

    def __init__(self, phases: tuple[Phase, ...], moment: Moment) -> None:
        self.began_at = moment.at
        self.ended_at = moment.at
        self._steps = [_Step(phase) for phase in phases]
        self._seen = moment
        self._place: int | None = None
        self.enter(phases[0], moment)

    @property
    def phase(self) -> Phase:
        """Which step is under way; "" if none is."""
        return "" if self._place is None else self._steps[self._place].phase

    @property
    def num_sent(self) -> int:
        """Bytes that left during the steps."""
        return sum(step.sent for step in self._steps)

    @property
    def num_received(self) -> int:
        return sum(step.received for step in self._steps)

    def see(self, moment: Moment) -> None:
        """Time passed and bytes flowed."""
        before, self._seen = self._seen, moment
        if self._place is not None:
            step = self._steps[self._place]
            step.seconds += max(0.0, moment.at - before.at)
            step.sent += max(0, moment.sent - before.sent)
            step.received += max(0, moment.received - before.received)
            self.ended_at = moment.at

    def enter(self, phase: Phase, moment: Moment) -> None:
        """This phase is under way now; one that came before goes on where it was.

        A phase that this timeline does not have changes nothing.
        """
        self.see(moment)
        place = next((i for i, step in enumerate(self._steps) if step.phase == phase), None)
        if place is None or place == self._place:
            return
        if self._place is not None and self._place < place:
            self._steps[self._place].state = "done"
        for step in self._steps[:place]:
            if step.state == "waiting":
                step.state = "skipped"
        for step in self._steps[place:]:
            step.state = "waiting"
        step = self._steps[place]
        step.state, step.began_at = "now", step.began_at or moment.at
        self._place = place

    def measure(self, moment: Moment) -> None:
        """After the round its model is measured: one more step."""
        if self._steps[-1].phase != "evaluate":
            self._steps.append(_Step("evaluate"))
        self.enter("evaluate", moment)

    def end(self, state: Literal["done", "failed"], moment: Moment) -> None:
        """What is under way is over so; what waited never came."""
        self.see(moment)
        if self._place is not None:
            self._steps[self._place].state = state
        for step in self._steps:
            if step.state == "waiting":
                step.state = "skipped"
        self._place = None

    def steps(self) -> tuple[Step, ...]:
        """As screens show them."""
        return tuple(
            Step(
                phase=step.phase,
                state=step.state,
                began_at=step.began_at,
                seconds=round(step.seconds, 3),
                num_bytes=step.sent + step.received,
            )
            for step in self._steps
        )
