"""The system's clock, for whatever a node's programs date: UTC seconds."""

from __future__ import annotations

from datetime import UTC, datetime


def utc() -> float:
    """UTC seconds as the system has them now."""
    return datetime.now(UTC).timestamp()
