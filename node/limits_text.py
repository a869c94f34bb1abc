"""The operator's limits as plain text. Pure: returns strings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fedtui.status import Limits

_RUN = {
    "always": "always",
    "idle": "when other programs leave most cores free",
    "AC": "when not on battery",
}

_DEVICE = {
    "auto": "the GPU if there is one (auto)",
    "cpu": "the processor (cpu)",
    "cuda": "the NVIDIA GPU (cuda)",
    "mps": "the GPU of an Apple computer (mps)",
}


def table(limits: Limits) -> str:
    """A limit a line, also those that are none."""
    rows = (
        ("cpu", _cpu(limits)),
        ("trains on", _DEVICE[limits.device]),
        ("memory", f"{limits.memory_mb} MB" if limits.memory_mb else "no limit"),
        ("upload a day", _volume(limits) or "no limit"),
        ("upload rate", _rate(limits) or "no limit"),
        ("runs", f"{_RUN[limits.run]}{_hours(limits)}"),
        ("leaves", f"on {limits.leave_on}" if limits.leave_on else "never by itself"),
    )
    return "\n".join(f"{name:<13} {value}" for name, value in rows)


def sentence(limits: Limits) -> str:
    """Only what is limited, in one line; "" if nothing is."""
    parts = (
        _cpu(limits) if limits.cpu_percent < 100 or limits.threads > 1 else "",
        f"trains on {limits.device}" if limits.device != "auto" else "",
        f"{limits.memory_mb} MB of memory" if limits.memory_mb else "",
        f"upload {_volume(limits)} a day" if _volume(limits) else "",
        f"upload {_rate(limits)}" if _rate(limits) else "",
        f"works {_RUN[limits.run]}" if limits.run != "always" else "",
        f"works {limits.hours}" if limits.hours else "",
        f"leaves on {limits.leave_on}" if limits.leave_on else "",
    )
    return ", ".join(part for part in parts if part)


def _cpu(limits: Limits) -> str:
    threads = "1 thread" if limits.threads == 1 else f"{limits.threads} threads"
    return f"{limits.cpu_percent}% of {threads}"


def _volume(limits: Limits) -> str:
    return f"{limits.max_upload_mb_per_day:g} MB" if limits.max_upload_mb_per_day else ""


def _rate(limits: Limits) -> str:
    return f"{limits.max_upload_kb_per_s:g} kB/s" if limits.max_upload_kb_per_s else ""


def _hours(limits: Limits) -> str:
    return f", from {limits.hours.replace('-', ' to ')}" if limits.hours else ""
