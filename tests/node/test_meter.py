"""Totals over sessions, rates over seconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.wire.tally import Tally
from node.meter import RATE_OVER_S, Meter


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
