"""The comparison of strategies: its plans, what is kept, and how curves are compared."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import bag_of_words
from benchmarks.results import claims, curves, published, strategies
from benchmarks.results.comparing import BASE, compared, verdict
from benchmarks.results.curves import LAST, Curve, Kept
from benchmarks.results.trials import World
from fedtui.experiments import planfile
from fedtui.learning.data import DataSource

TINY = World(task="digits", split="iid", nodes=3, count=2, rounds=2)


def curve(scores: list[float], *, each: int = 10) -> Curve:
    """A second a round, and so many bytes."""
    numbers = range(1, len(scores) + 1)
    return Curve(scores, [each * number for number in numbers], [float(one) for one in numbers])


def test_every_plan_holds_together() -> None:
    """An hour's run must not end at a misspelt option."""
    tried = [
        (strategies.world(split, short=False), way)
        for split in strategies.SPLITS
        for way in strategies.WAYS.values()
    ]
    tried += [
        (strategies.own_world(split), way)
        for split in strategies.OWN_SPLITS
        for way in strategies.OWN_WAYS.values()
    ]
    tried += [(claim.world, way) for claim in claims.CLAIMS for way in claim.ways.values()]
    for world, way in tried:
        file = planfile.parse(world.plan(way, 1), path=Path("plan.toml"))
        assert file.plan.strategy.name == way.strategy
        assert file.plan.strategy.options == way.options
    assert all(BASE in claim.ways for claim in claims.CLAIMS)


def test_what_was_run_once_is_known_to_the_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, way = tmp_path / "runs" / "kept.jsonl", strategies.WAYS[BASE]
    found = TINY.curve(Kept(kept), way, 1)
    assert len(found.scores) == len(found.bytes) == len(found.seconds) == 2
    assert found.bytes[1] > found.bytes[0] > 0
    assert found.seconds[1] > found.seconds[0] > 0
    assert len(kept.read_text().splitlines()) == 1

    def none_left(plan: str, task_file: Path | None) -> Curve:
        raise AssertionError((plan, task_file))

    monkeypatch.setattr(curves, "_simulated", none_left)
    assert TINY.curve(Kept(kept), way, 1) == found
    with pytest.raises(AssertionError):
        TINY.curve(Kept(kept), way, 2)
    with pytest.raises(AssertionError):
        replace(TINY, rounds=3).curve(Kept(kept), way, 1)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.integers(1, 25))
def test_a_limit_leaves_out_the_rounds_that_are_beyond_it(
    scores: list[float], rounds: int
) -> None:
    within = np.mean(scores[:rounds][-LAST:])
    assert curve(scores).within(num_bytes=10 * rounds) == pytest.approx(within)
    assert curve(scores).within(seconds=rounds + 0.5) == pytest.approx(within)
    assert math.isnan(curve(scores).within(num_bytes=9))


def test_twice_the_bytes_are_half_the_rounds() -> None:
    rising = [number / 20 for number in range(1, 21)]
    table, said = compared({BASE: [curve(rising)], "two vectors": [curve(rising, each=20)]})
    base, other = table.rows
    assert base[1].startswith("0.9000")
    assert other[1:3] == ["0.9000 (0.9000 to 0.9000)", "+0.0000 (0 of 1)"]
    assert other[3:5] == ["0.4000", "-0.5000 (0 of 1)"]
    assert other[5:7] == ["0.9000", "+0.0000 (0 of 1)"]
    assert said.endswith("neither: two vectors (+0.0000)")


def test_only_a_gain_in_every_seed_is_called_one() -> None:
    scores = {BASE: [0.5, 0.7], "a": [0.6, 0.8], "b": [0.4, 0.6], "c": [0.9, 0.6]}
    assert verdict(scores) == (
        "above fedavg in every seed: a (+0.1000); below it in every seed: b (-0.1000); "
        "neither: c (+0.1500)"
    )


def test_published_differences_are_those_to_their_own_fedavg() -> None:
    ours = {"iid": {BASE: [curve([0.8])], "fedprox": [curve([0.79])]}}
    assert published.beside(ours).rows == [
        ["iid", "fedavg", "89.23 ± 0.45", "", "80.00", ""],
        ["iid", "fedprox", "89.42 ± 0.09", "+0.19", "79.00", "-1.00"],
    ]


def test_bags_are_sparse_and_the_same_for_everybody() -> None:
    first = bag_of_words.BagOfWords().data(DataSource())
    bag_of_words._drawn.cache_clear()
    again = bag_of_words.BagOfWords().data(DataSource())
    test = bag_of_words.BagOfWords().data(DataSource(part="test"))
    assert (first.x.sum(axis=1) == bag_of_words.LENGTH).all()
    assert np.count_nonzero(first.x) / first.x.size < bag_of_words.LENGTH / first.x.shape[1]
    np.testing.assert_array_equal(first.x, again.x)
    assert (first.x[: len(test.x)] != test.x).any()
