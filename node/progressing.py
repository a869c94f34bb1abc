"""How far training is, for a screen: from what the trainer says now and then. Pure.

A screen adds the losses of each event to those it has, so losses of an event that was held back
must come with the next one: they wait here until `posted`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fedtui.status import MAX_POINTS, Training

if TYPE_CHECKING:
    from node.jobs import Progress


@dataclass(slots=True)
class Progressing:
    """One training after the other; `begin` each."""

    _began: tuple[float, float] | None = None  # when it was told first, and the fraction then
    _losses: list[float] = field(default_factory=list)
    _last: Training = field(default_factory=Training)

    def begin(self) -> Training:
        """Nothing was told of this training yet."""
        self._began, self._last = None, Training()
        self._losses.clear()
        return self._last

    def told(self, progress: Progress, now: float) -> Training:
        """How far it is at `now`, UTC seconds."""
        done = (progress.epoch - 1) * progress.num_batches + progress.batch
        fraction = min(1.0, done / max(1, progress.num_epochs * progress.num_batches))
        self._losses = [*self._losses, progress.loss][-MAX_POINTS:]
        if self._began is None:
            self._began = (now, fraction)
        self._last = Training(
            fraction=fraction,
            epoch=progress.epoch,
            num_epochs=progress.num_epochs,
            batch=progress.batch,
            num_batches=progress.num_batches,
            loss=progress.loss,
            examples_per_s=progress.examples_per_s,
            left_s=_left(self._began, (now, fraction)),
            reported_at=now,
            losses=tuple(self._losses),
        )
        return self._last

    def posted(self) -> None:
        """The losses told so far are on the screen."""
        self._losses.clear()

    def done(self, now: float) -> Training | None:
        """The end of it, with the losses that were held back; None if nothing was ever told."""
        last = self._last
        if self._began is None or not last.num_batches:
            return None
        return Training(
            fraction=1.0,
            epoch=last.num_epochs,
            num_epochs=last.num_epochs,
            batch=last.num_batches,
            num_batches=last.num_batches,
            loss=last.loss,
            examples_per_s=last.examples_per_s,
            left_s=0.0,
            reported_at=now,
            losses=tuple(self._losses),
        )


def _left(began: tuple[float, float], now: tuple[float, float]) -> float | None:
    """Seconds that are left if it goes on as it did; None while that cannot be known."""
    elapsed, grown = now[0] - began[0], now[1] - began[1]
    if elapsed <= 0 or grown <= 0:
        return None
    return round(elapsed * (1.0 - now[1]) / grown, 1)
