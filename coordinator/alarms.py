"""What the operator should know: the last alarms of this life, for screens and for `follow`."""

from collections import deque
from collections.abc import Callable

from fedtui.status.coordinator import MAX_ALARMS, Alarm
from fedtui.wire.labels import safe_label

MAX_CELLS = 300


class Alarms:
    """Keeps the newest MAX_ALARMS; `tell` hears of each."""

    def __init__(self, clock: Callable[[], float], tell: Callable[[Alarm], None]) -> None:
        self.newest: deque[Alarm] = deque(maxlen=MAX_ALARMS)
        self._clock = clock
        self._tell = tell
        self._number = 0

    def ring(self, kind: str, text: str) -> None:
        """Another one; `text` may hold what nodes said, so it is cut and cleaned."""
        self._number += 1
        alarm = Alarm(
            number=self._number, at=self._clock(), kind=kind, text=safe_label(text, MAX_CELLS)
        )
        self.newest.append(alarm)
        self._tell(alarm)
