"""The clock tells UTC seconds, whatever the time zone is."""

import time

import pytest

from fedtui.control.clock import utc


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_it_lies_between_two_looks_at_the_systems_clock(
    monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    before = time.time_ns() / 1e9
    now = utc()
    after = time.time_ns() / 1e9
    monkeypatch.undo()
    time.tzset()
    assert before - 1e-5 <= now <= after + 1e-5
