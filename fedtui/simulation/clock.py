"""The virtual clock: what is due next, in a fixed order; a simulated hour costs no time."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

Action = Callable[[], None]


@dataclass(slots=True)
class Clock:
    """Runs actions in order of their time; equal times in the order they were scheduled."""

    now: float = 0.0
    num_run: int = 0
    _queue: list[tuple[float, int, Action]] = field(default_factory=list)
    _count: int = 0

    def at(self, when: float, action: Action) -> None:
        """Schedule an action at `when` seconds, or now if that has passed."""
        self._count += 1
        heapq.heappush(self._queue, (max(when, self.now), self._count, action))

    def after(self, delay_s: float, action: Action) -> None:
        """Schedule an action `delay_s` seconds from now."""
        self.at(self.now + delay_s, action)

    def step(self) -> bool:
        """Run the next action; False if there is none."""
        if not self._queue:
            return False
        self.now, _, action = heapq.heappop(self._queue)
        self.num_run += 1
        action()
        return True

    @property
    def next_at(self) -> float | None:
        """When the next action is due."""
        return self._queue[0][0] if self._queue else None
