"""Pacing: how fast updates may leave, so that others at this connection notice nothing. Pure.

A bucket of what was sent too early: it empties at the operator's rate, and while anything is in
it nothing more is sent. So in no span of time more leaves than the rate allows and one record.
"""

from __future__ import annotations


class Bucket:
    """Paces one stream of bytes; times are seconds of any one clock. `rate` 0: no limit."""

    def __init__(self, rate: float = 0.0) -> None:
        """Begin empty; `rate` is bytes/s."""
        self.rate = rate
        self._owed = 0.0  # bytes
        self._at = 0.0

    def took(self, num_bytes: int, now: float) -> float:
        """Note what was sent just now; return the seconds until more may be."""
        self.wait_s(now)
        self._owed += num_bytes
        return self.wait_s(now)

    def wait_s(self, now: float) -> float:
        """Seconds until more may be sent, 0 if it may now."""
        if self.rate <= 0:
            self._owed = 0.0
        else:
            self._owed = max(0.0, self._owed - self.rate * (now - self._at))
        self._at = now
        return self._owed / self.rate if self._owed else 0.0
