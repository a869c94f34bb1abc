"""Numbers as people read them: bytes, durations, times, counts. Pure, and short on purpose."""

from __future__ import annotations

from datetime import datetime


def size(num_bytes: float) -> str:
    """Bytes in decimal units, three digits: '812 B', '1.2 kB', '14.1 MB'."""
    value = float(num_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5 or unit == "GB":
            break
        value /= 1000
    digits = 0 if unit == "B" or value >= 99.95 else 1
    return f"{value:.{digits}f} {unit}"


def rate(bytes_per_s: float) -> str:
    return f"{size(bytes_per_s)}/s"


def span(seconds: float) -> str:
    """A duration: '0.1 s', '14 s', '3:20', '2 h 05', '4 d'."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)}:{int(seconds % 60):02d}"
    if seconds < 86400:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d}"
    return f"{int(seconds // 86400)} d"


def clock(seconds: float) -> str:
    """A countdown or stopwatch: 'M:SS'."""
    whole = max(0, int(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def moment(at: float) -> str:
    """The local time of day of UTC seconds: 'HH:MM:SS'."""
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")


def day(at: float) -> str:
    """The local date of UTC seconds: 'YYYY-MM-DD'."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d")


def millis(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"


def number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def groups(fingerprint: str, count: int = 4) -> str:
    """The first groups of a fingerprint, for recognition and never for verification."""
    return " ".join(fingerprint.replace("-", " ").split()[:count]).lower()


def cut(text: str, width: int, mark: str = "…") -> str:
    """`text` in at most `width` characters."""
    return text if len(text) <= width else text[: max(0, width - 1)] + mark


def count(number: int, word: str) -> str:
    """As in "1 round" and "2 rounds"."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
