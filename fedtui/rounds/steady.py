"""Time that never runs backwards, out of a clock that may be set back by years at any moment.

A machine's deadlines are times of its driver's clock. If that clock were set back, they would lie
years ahead and a silent node could block a round. So a reading that is earlier than the one before
counts as "no time has passed", and time goes on from there at the clock's pace.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Steady:
    """`read` takes the clock's readings; `on_clock` says when a steady time is, by that clock."""

    last: float
    lead_s: float = 0.0

    def read(self, now: float) -> float:
        """The steady time of this reading."""
        self.lead_s = max(self.lead_s, self.last - now)
        self.last = max(self.last, now + self.lead_s)  # also where the sum is rounded
        return self.last

    def on_clock(self, steady: float | None) -> float | None:
        """The same moment by the clock as it goes now."""
        return None if steady is None else steady - self.lead_s
