"""The numbers of the specification, and every probability against exact fractions."""

import hashlib
import json
from fractions import Fraction
from itertools import combinations
from math import comb
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedtui.secagg import graph
from fedtui.secagg.graph import Graph

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "secagg.json").read_text())

big = st.integers(129, 400)
seeds = st.binary(min_size=32, max_size=32)


def naive_tail(population: int, marked: int, drawn: int, most: int) -> Fraction:
    """The probability that more than `most` of the marked are among the drawn."""
    ways = sum(
        comb(marked, i) * comb(population - marked, drawn - i)
        for i in range(most + 1, min(marked, drawn) + 1)
    )
    return Fraction(ways, comb(population, drawn))


def naive_threshold(num_nodes: int, colluders: int, degree: int) -> int:
    """The least c_half that is exceeded less often than 2**-80 / 2n, by trying all from 0 on."""
    half = degree // 2
    limit = Fraction(1, 2**80 * 2 * num_nodes)
    c_half = 0
    while naive_tail(num_nodes - 1, colluders, half, c_half) >= limit:
        c_half += 1
    return half + c_half + 2


def naive_degree(num_nodes: int, colluders: int, dropouts: int) -> int:
    for k in range(2, num_nodes - 1, 2):
        spare = k + 1 - naive_threshold(num_nodes, colluders, k)
        if spare < 0:
            continue
        if num_nodes * naive_tail(num_nodes - 1, dropouts, k, spare) < Fraction(1, 2**20):
            return k
    return num_nodes - 1


@pytest.mark.parametrize(
    ("num_nodes", "colluders", "wanted"),
    [
        *((3, 1, 3), (4, 1, 3), (5, 1, 4), (8, 1, 5)),
        *((10, 2, 7), (20, 4, 13), (50, 10, 31), (100, 20, 61)),
    ],
)
def test_the_thresholds_of_the_specification(num_nodes: int, colluders: int, wanted: int) -> None:
    assert graph.quorum(num_nodes, colluders) == wanted
    full = graph.degree(num_nodes, colluders, num_nodes // 5)
    assert full == num_nodes - 1
    assert graph.threshold(num_nodes, colluders, full) == wanted
    assert graph.is_degree(num_nodes, colluders, full)


@pytest.mark.parametrize(
    ("num_nodes", "percent", "degree", "threshold"),
    [(1000, 5, 98, 79), (5000, 5, 114, 91), (1000, 10, 178, 137)],
)
def test_the_rings_of_the_specification(
    num_nodes: int, percent: int, degree: int, threshold: int
) -> None:
    some = num_nodes * percent // 100
    assert graph.degree(num_nodes, some, some) == degree
    assert graph.threshold(num_nodes, some, degree) == threshold
    assert naive_threshold(num_nodes, some, degree) == threshold
    assert graph.is_degree(num_nodes, some, degree)


@given(st.integers(1, 5000), st.data())
def test_two_survivor_sets_never_both_gather_the_quorum(n: int, data: st.DataObject) -> None:
    c = data.draw(st.integers(0, n))
    q = graph.quorum(n, c)
    assert 2 * q > n + c >= 2 * (q - 1)  # and one less would not do
    assert graph.is_degree(n, c, n - 1) == (q <= n)


@pytest.mark.parametrize(
    ("invited", "colluders", "minimum"),
    [(1, 1, 3), (3, 1, 3), (5, 1, 3), (9, 1, 5), (10, 2, 5), (11, 2, 6), (100, 20, 50)],
)
def test_the_defaults_of_a_plan(invited: int, colluders: int, minimum: int) -> None:
    assert graph.default_colluders(invited) == colluders
    assert graph.default_minimum(invited, colluders) == minimum
    assert graph.default_minimum(invited, invited) == max(3, invited + 2)


@given(st.integers(0, 9), st.data())
def test_the_draws_are_counted_like_one_by_one(population: int, data: st.DataObject) -> None:
    marked = data.draw(st.integers(0, population))
    drawn = data.draw(st.integers(0, population))
    most = data.draw(st.integers(-1, population))
    held = [sum(one < marked for one in draw) for draw in combinations(range(population), drawn)]
    assert graph._tail(population, marked, drawn, most) == sum(found > most for found in held)


@given(st.integers(1, 1000), st.data())
def test_the_tail_is_exact(population: int, data: st.DataObject) -> None:
    marked = data.draw(st.integers(0, population))
    drawn = data.draw(st.integers(0, population))
    most = data.draw(st.integers(0, min(marked, drawn)))
    found = Fraction(graph._tail(population, marked, drawn, most), comb(population, drawn))
    assert found == naive_tail(population, marked, drawn, most)


@given(big, st.data())
def test_the_threshold_of_a_ring_is_the_least_that_is_safe(n: int, data: st.DataObject) -> None:
    c = data.draw(st.integers(0, n // 3))
    k = 2 * data.draw(st.integers(1, (n - 2) // 2))
    t = graph.threshold(n, c, k)
    assert t == naive_threshold(n, c, k)
    assert graph.is_degree(n, c, k) == (t <= k + 1)
    # Both kinds of shares of some node reach t only if 2t - (k + 1) of its neighbours collude.
    assert n * naive_tail(n - 1, c, k, 2 * t - k - 2) < Fraction(1, 2**80)


@pytest.mark.parametrize(("n", "c", "k"), [(276, 92, 216), (303, 60, 104), (375, 125, 118)])
def test_the_whole_tail_counts_not_its_largest_part_alone(n: int, c: int, k: int) -> None:
    assert graph.threshold(n, c, k) == naive_threshold(n, c, k)


@settings(max_examples=8)
@given(st.integers(129, 250), st.integers(0, 20), st.integers(0, 20))
def test_the_degree_is_the_least_that_bears_the_losses(n: int, c: int, dropouts: int) -> None:
    k = graph.degree(n, c, dropouts)
    assert k == naive_degree(n, c, dropouts)
    assert graph.is_degree(n, c, k)


@pytest.mark.parametrize(
    ("num_nodes", "colluders", "degree"),
    [
        *((3, 3, 2), (3, 1, 1), (3, 1, 3), (10, 2, 8), (128, 0, 126), (128, 0, 128)),
        *((1000, 50, 97), (1000, 50, 0), (1000, 50, -2), (1000, 50, 20), (1000, 50, 1000)),
    ],
)
def test_other_degrees_are_refused(num_nodes: int, colluders: int, degree: int) -> None:
    assert not graph.is_degree(num_nodes, colluders, degree)


@pytest.mark.parametrize("colluders", [200, 300])
def test_more_colluders_than_nodes_are_refused(colluders: int) -> None:
    assert not graph.is_degree(200, colluders, 100)
    assert not graph.is_degree(200, colluders, 199)


@given(st.integers(1, 128), seeds)
def test_up_to_128_everyone_is_everyones_neighbour(n: int, seed: bytes) -> None:
    whole = Graph(n, graph.degree(n, 1, 1), seed)
    for position in {0, n // 2, n - 1}:
        assert whole.neighbours(position) == tuple(p for p in range(n) if p != position)
        assert whole.holders(position) == tuple(range(n))


@given(st.integers(129, 300), st.data(), seeds)
def test_a_ring_is_symmetric_and_regular(n: int, data: st.DataObject, seed: bytes) -> None:
    k = 2 * data.draw(st.integers(1, (n - 2) // 2))
    ring = Graph(n, k, seed)
    of = {p: ring.neighbours(p) for p in range(n)}
    for position, around in of.items():
        assert len(around) == len(set(around)) == k
        assert list(around) == sorted(around)
        assert position not in around
        assert all(position in of[other] for other in around)
        assert ring.holders(position) == tuple(sorted({*around, position}))


@pytest.mark.parametrize("k", [2, 6, 130, 198])
def test_a_ring_is_a_window_of_an_order_that_the_seed_decides(k: int) -> None:
    n, seed = 200, bytes(range(32))
    order = sorted(
        range(n),
        key=lambda p: hashlib.blake2b(bytes([p, 0, 0, 0]), key=seed, digest_size=32).digest(),
    )
    for place, position in enumerate(order):
        near = {order[(place + step) % n] for step in range(-k // 2, k // 2 + 1)} - {position}
        assert set(Graph(n, k, seed).neighbours(position)) == near


def test_every_seed_gives_another_ring() -> None:
    others = [Graph(200, 6, bytes([i]) * 32).neighbours(0) for i in range(20)]
    assert len(set(others)) == 20


def test_known_neighbours() -> None:
    ring = VECTORS["ring"]
    found = Graph(ring["num_nodes"], ring["degree"], bytes.fromhex(ring["seed"]))
    for position, around in ring["neighbours"].items():
        assert found.neighbours(int(position)) == tuple(around)


@given(st.sets(st.integers(0, 2**32 - 1), max_size=8), st.randoms(use_true_random=False))
def test_a_set_has_one_form(positions: set[int], random: object) -> None:
    listed = list(positions)
    random.shuffle(listed)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    wanted = [(p >> 8 * i) & 255 for p in sorted(positions) for i in range(4)]
    assert graph.encode_set(listed) == bytes(wanted)
