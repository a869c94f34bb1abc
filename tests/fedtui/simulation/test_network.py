"""The post office: order, loss with the session, disorder, duplicates, blocked ways."""

import numpy as np
import pytest

from fedtui.simulation.clock import Clock
from fedtui.simulation.network import PostOffice, Session, Weather

NODE = b"n" * 32


def office(rng: np.random.Generator, **weather: object) -> tuple[PostOffice, Session]:
    return PostOffice(Clock(), rng, Weather(**weather)), Session(1, NODE)


def run(post: PostOffice) -> None:
    while post.clock.step():
        pass


def carry(post: PostOffice, session: Session, num: int = 100, way: str = "up") -> list[int]:
    seen: list[int] = []
    for i in range(num):
        post.carry(session, way, lambda i=i: seen.append(i))
    return seen


def test_a_session_keeps_order(rng) -> None:
    post, session = office(rng, latency_s=(0.0, 5.0))
    seen = carry(post, session)
    run(post)
    assert seen == list(range(100))


def test_disorder_and_duplicates(rng) -> None:
    post, session = office(rng, disorder_s=5.0, duplicates=0.5)
    seen = carry(post, session)
    run(post)
    assert seen != sorted(seen)
    assert set(seen) == set(range(100))
    assert 120 < len(seen) < 180


def test_what_is_under_way_dies_with_the_session(rng) -> None:
    post, session = office(rng)
    seen = carry(post, session)
    session.alive = False
    run(post)
    assert seen == []
    assert post.num_lost == 100


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_blocked_way_swallows(rng, way: str) -> None:
    post, session = office(rng)
    post.blocked.add((NODE, way))
    assert post.is_cut(NODE)
    up, down = carry(post, session, way="up"), carry(post, session, way="down")
    run(post)
    assert (len(up), len(down)) == ((0, 100) if way == "up" else (100, 0))
    assert session.num_swallowed == 100


def test_bytes_take_time(rng) -> None:
    post, session = office(rng, bytes_per_s=100.0, latency_s=(0.0, 0.0))
    post.carry(session, "up", lambda: None, num_bytes=1000)
    run(post)
    assert post.clock.now == pytest.approx(10.0)
