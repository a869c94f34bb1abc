"""Fixes the time zone, for pictures show times of day; whole screens are run by themselves."""

import inspect
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SHORT = "test_overview.py"  # stays among the tests of every minute


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole screens under Pilot take minutes together: they are run by 'make check'."""
    for item in items:
        here = item.path.is_relative_to(HERE) and item.path.name != SHORT
        if here and inspect.iscoroutinefunction(getattr(item, "function", None)):
            item.add_marker("screen")


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
