"""When a node sits out, and what it says about it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.status import Limits
from node.resting import BUSY, FREE, Facts, is_last_day, next_day, rests

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=timezone(timedelta(hours=1)))
TIMES = st.integers(0, 24 * 60 - 1).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")


def at(clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return NOON.replace(hour=hour, minute=minute)


def test_without_limits_it_never_rests() -> None:
    facts = Facts(now=NOON, limits=Limits(), power="battery", others=1.0, num_bytes_today=10**12)
    assert rests(facts) == ""


@pytest.mark.parametrize(
    ("hours", "clock", "works"),
    [
        ("08:00-17:00", "12:00", True),
        ("08:00-17:00", "08:00", True),
        ("08:00-17:00", "17:00", False),
        ("20:00-07:00", "23:59", True),
        ("20:00-07:00", "00:00", True),
        ("20:00-07:00", "06:59", True),
        ("20:00-07:00", "07:00", False),
        ("20:00-07:00", "12:00", False),
        ("00:00-23:59", "23:59", False),
    ],
)
def test_the_hours_are_those_of_the_operators_clock(hours: str, clock: str, works: bool) -> None:
    found = rests(Facts(now=at(clock), limits=Limits(hours=hours)))
    assert (found == "") is works
    if not works:
        assert f"again at {hours[:5]}" in found


@given(TIMES, TIMES, TIMES)
def test_a_window_and_its_opposite_cover_the_day_once(start: str, end: str, now: str) -> None:
    if start == end:
        return
    one = rests(Facts(now=at(now), limits=Limits(hours=f"{start}-{end}")))
    other = rests(Facts(now=at(now), limits=Limits(hours=f"{end}-{start}")))
    assert (one == "") != (other == "")


@pytest.mark.parametrize(("power", "works"), [("AC", True), ("", True), ("battery", False)])
def test_on_AC_only(power: str, works: bool) -> None:
    found = rests(Facts(now=NOON, limits=Limits(run="AC"), power=power))
    assert (found == "") is works


def test_idle_has_a_band_in_which_nothing_changes() -> None:
    limits, between = Limits(run="idle"), (BUSY + FREE) / 2
    assert "finding out" in rests(Facts(now=NOON, limits=limits))
    assert rests(Facts(now=NOON, limits=limits, others=between)) == ""
    assert "42%" in rests(Facts(now=NOON, limits=limits, others=0.42, resting=True))
    assert rests(Facts(now=NOON, limits=limits, others=BUSY)) != ""
    assert rests(Facts(now=NOON, limits=limits, others=FREE - 0.01, resting=True)) == ""


def test_the_days_volume_is_used_up_when_the_next_update_does_not_fit() -> None:
    limits = Limits(max_upload_mb_per_day=3)
    fits = Facts(now=NOON, limits=limits, num_bytes_today=2_000_000, next_bytes=1_000_000)
    assert rests(fits) == ""
    over = Facts(now=NOON, limits=limits, num_bytes_today=2_000_001, next_bytes=1_000_000)
    assert "2.0 MB sent" in rests(over)
    assert "again at 01:00 (midnight UTC)" in rests(over)
    at_work = Facts(
        now=NOON, limits=limits, num_bytes_today=2_000_001, next_bytes=1_000_000, at_work=True
    )
    assert rests(at_work) == "", "the round under way was let in because it fits"
    unknown = Facts(now=NOON, limits=limits, num_bytes_today=3_000_000)
    assert rests(unknown) != ""


def test_a_volume_that_no_update_fits_into_is_said_to_be_so() -> None:
    found = rests(Facts(now=NOON, limits=Limits(max_upload_mb_per_day=1), next_bytes=2_500_000))
    assert "2.50 MB" in found
    assert "fedtui limit --upload-per-day" in found


@given(
    limit=st.floats(0.001, 100),
    today=st.integers(0, 10**8),
    following=st.integers(1, 10**8),
)
def test_who_does_not_rest_may_send_one_more(limit: float, today: int, following: int) -> None:
    facts = Facts(
        now=NOON,
        limits=Limits(max_upload_mb_per_day=limit),
        num_bytes_today=today,
        next_bytes=following,
    )
    if not rests(facts):
        assert today + following <= limit * 1e6


def test_the_day_to_leave_begins_at_the_operators_midnight() -> None:
    limits = Limits(leave_on="2026-11-24")
    midnight = NOON.replace(hour=0)
    assert is_last_day(limits, midnight)
    assert is_last_day(limits, midnight + timedelta(days=9))
    assert not is_last_day(limits, midnight - timedelta(seconds=1))
    assert not is_last_day(Limits(), NOON)


def test_a_day_of_the_ledger_ends_at_midnight_UTC() -> None:
    early = NOON.replace(hour=0, minute=30)  # the day before, in UTC
    assert next_day(early) == datetime(2026, 11, 24, tzinfo=UTC)
    assert next_day(NOON) == datetime(2026, 11, 25, tzinfo=UTC)
