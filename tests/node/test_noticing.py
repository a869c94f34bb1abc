"""What keeps a link open is no news; what flows, or adds up, or takes longer, is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fedtui.status import Traffic
from node.noticing import KEPT_OPEN_PER_S, STEP_BYTES, STEP_SHARE, differs, flow, is_notable

SHOWN = Traffic(
    up=9_493_728,
    down=10_807_328,
    up_today=7_599_000,
    down_today=10_807_328,
    round_trip_s=0.040,
    round_trip_p50_s=0.041,
    round_trip_p99_s=0.060,
    jitter_s=0.003,
)
PING = 544  # bytes, up and down, as measured


def test_pings_of_an_hour_are_told_a_few_times_at_most() -> None:
    shown, told = SHOWN, 0
    now = SHOWN
    for _ in range(360):
        now = replace(
            now, up=now.up + PING, down=now.down + PING, down_today=now.down_today + PING
        )
        assert differs(shown, now)
        if is_notable(shown, now):
            shown, told = now, told + 1
    assert told <= 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"round_trip_s": 0.041}, False),
        ({"round_trip_s": 0.049}, False),
        ({"round_trip_s": 0.051}, True),
        ({"round_trip_s": None}, True),
        ({"jitter_s": 0.0045}, False),
        ({"jitter_s": 0.0051}, True),
        ({"num_reconnects": 1}, True),
        ({"up_per_s": 300.0}, True),
        ({"down_today": 0}, True),
        ({"up_today": 7_599_000 + 76_000}, True),
        ({"up_rates": (1, 2, 3)}, False),
        ({}, False),
    ],
)
def test_each_reading_has_its_step(change: dict[str, object], told: bool) -> None:
    assert is_notable(SHOWN, replace(SHOWN, **change)) is told


@given(start=st.integers(0, 10**9), steps=st.lists(st.integers(0, 10**7), max_size=40))
def test_what_is_shown_of_a_total_is_never_far_from_it(start: int, steps: list[int]) -> None:
    shown = now = Traffic(up=start)
    for step in steps:
        now = replace(now, up=now.up + step)
        if is_notable(shown, now):
            shown = now
        assert now.up - shown.up < max(STEP_BYTES, STEP_SHARE * shown.up)


def test_a_rate_that_only_keeps_the_link_open_is_none() -> None:
    assert flow(PING / 5) == 0.0  # over the window of the meter
    assert flow(KEPT_OPEN_PER_S) == KEPT_OPEN_PER_S
    assert flow(158_838.46) == 158_838.5
