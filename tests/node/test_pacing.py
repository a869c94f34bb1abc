"""What a paced stream may send in any span of time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.pacing import Bucket

RECORD = 65_505


@given(
    rate=st.floats(1e3, 1e8),
    sizes=st.lists(st.integers(1, RECORD), min_size=1, max_size=50),
    idle=st.lists(st.floats(0, 100), min_size=50, max_size=50),
)
def test_in_no_span_more_leaves_than_the_rate_and_one_record(
    rate: float, sizes: list[int], idle: list[float]
) -> None:
    bucket, now, sent = Bucket(rate), 0.0, []
    for size, pause in zip(sizes, idle, strict=False):
        now += pause
        now += bucket.wait_s(now)
        sent.append((now, size))
        now += bucket.took(size, now)
    for first in range(len(sent)):
        total = 0
        for at, size in sent[first:]:
            total += size
            assert total <= rate * (at - sent[first][0]) + RECORD * (1 + 1e-6)


@given(st.lists(st.integers(1, RECORD), min_size=1, max_size=50))
def test_a_stream_that_always_has_something_gets_the_whole_rate(sizes: list[int]) -> None:
    bucket, now = Bucket(1000.0), 0.0
    for size in sizes:
        now += bucket.took(size, now)
    assert now == pytest.approx(sum(sizes) / 1000.0)


def test_without_a_limit_nothing_waits_and_a_new_one_holds_at_once() -> None:
    bucket = Bucket()
    assert bucket.took(10**9, 1.0) == 0.0
    bucket.rate = 100.0
    assert bucket.wait_s(2.0) == 0.0
    assert bucket.took(500, 2.0) == pytest.approx(5.0)
    bucket.rate = 1000.0
    assert bucket.wait_s(2.0) == pytest.approx(0.5)
    bucket.rate = 0.0
    assert bucket.wait_s(2.0) == 0.0
