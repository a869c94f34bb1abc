"""Totals over sessions, rates over seconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.wire.tally import Tally
from node.meter import MAX_ROUND_TRIPS, RATE_OVER_S, Meter


@given(
    sessions=st.lists(
        st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**6)), max_size=5), max_size=5
    )
)
def test_totals_go_on_over_sessions(sessions: list[list[tuple[int, int]]]) -> None:
    meter = Meter()
    payload = overhead = 0
    for session in sessions:
        tally = Tally()
        meter.follow(tally)
        for data, ctrl in session:
            tally.sent.num_data += data + 30
            tally.sent.num_payload += data
            tally.received.num_ctrl += ctrl
            payload += data
            overhead += 30
            meter.read(0.0)
    traffic = meter.read(0.0)
    assert traffic.num_sessions == len(sessions)
    assert traffic.sent_payload == payload
    assert traffic.sent_bytes == payload + overhead
    assert traffic.received_bytes == sum(ctrl for session in sessions for _, ctrl in session)
    assert traffic.received_payload == 0


def test_a_rate_is_a_mean_over_the_last_seconds() -> None:
    meter = Meter()
    tally = Tally()
    meter.follow(tally)
    assert meter.read(0.0).sent_rate == 0.0
    for second in range(1, 21):
        tally.sent.num_data += 1000
        tally.received.num_ctrl += 10
        traffic = meter.read(float(second))
        assert traffic.sent_rate == pytest.approx(1000)
        assert traffic.received_rate == pytest.approx(10)
    for second in range(21, 40):
        traffic = meter.read(float(second))
        if second >= 20 + RATE_OVER_S:
            assert traffic.sent_rate == 0.0
    assert len(meter._history) <= RATE_OVER_S + 2


def test_nothing_read_yet() -> None:
    traffic = Meter().read(5.0, round_trip_s=0.25)
    assert (traffic.sent_bytes, traffic.num_sessions, traffic.round_trip_s) == (0, 0, 0.25)
    assert (traffic.round_trip_p50_s, traffic.round_trip_p99_s) == (0.25, 0.25)
    assert traffic.jitter_s is None, "of one there is none"


@given(st.lists(st.floats(0.001, 10), min_size=2, max_size=300, unique=True))
def test_round_trips_are_told_of_the_last_ones_and_each_counts_once(trips: list[float]) -> None:
    meter = Meter()
    for trip in trips:
        traffic = meter.read(0.0, round_trip_s=trip)
        traffic = meter.read(0.0, round_trip_s=trip)
    kept = sorted(trips[-MAX_ROUND_TRIPS:])
    p50, p99 = traffic.round_trip_p50_s, traffic.round_trip_p99_s
    assert p50 in kept
    assert p99 in kept
    assert sum(one <= p50 for one in kept) >= len(kept) / 2 > sum(one < p50 for one in kept) - 1
    assert sum(one > p99 for one in kept) <= len(kept) / 100
    assert 0 <= traffic.jitter_s <= kept[-1] - kept[0]


def test_jitter_is_the_mean_step() -> None:
    meter = Meter()
    for trip in (0.1, 0.3, 0.2, 0.2):
        traffic = meter.read(0.0, round_trip_s=trip)
    assert traffic.jitter_s == pytest.approx((0.2 + 0.1) / 2)


def test_totals_are_those_of_the_next_reading() -> None:
    meter = Meter()
    tally = Tally()
    meter.follow(tally)
    tally.sent.num_data += 70
    tally.received.num_ctrl += 7
    assert meter.totals() == (70, 7)
    meter.follow(Tally())
    assert meter.totals() == (70, 7)
