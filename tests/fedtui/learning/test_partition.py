from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.learning.data import DataError, DataSource, Examples
from fedtui.learning.partition import check, holdout, partition, take_shard

SPECS = ["iid", "dirichlet:0.001", "dirichlet:0.5", "dirichlet:100", "quantity:0.01", "quantity:1"]
SPECS += ["shards:1", "shards:2", "shards:30"]


@given(
    st.sampled_from(SPECS),
    st.integers(1, 300),
    st.integers(1, 40),
    st.integers(1, 12),
    st.integers(0, 2**53),
)
def test_every_example_lands_in_exactly_one_shard(
    spec: str, num_examples: int, num_shards: int, num_classes: int, seed: int
) -> None:
    num_shards = min(num_shards, num_examples)
    if spec.startswith("shards"):
        num_examples *= int(spec.partition(":")[2])
    labels = np.random.default_rng(seed).integers(num_classes, size=num_examples)
    shards = partition(spec, labels, num_shards=num_shards, seed=seed)
    assert len(shards) == num_shards
    assert all(len(shard) for shard in shards)
    assert all((np.diff(shard) > 0).all() for shard in shards)
    assert np.array_equal(np.sort(np.concatenate(shards)), np.arange(num_examples))
    again = partition(spec, labels, num_shards=num_shards, seed=seed)
    assert all(np.array_equal(a, b) for a, b in zip(shards, again, strict=True))


def test_iid_shards_are_equal_to_within_one() -> None:
    sizes = {len(s) for s in partition("iid", np.zeros(103, int), num_shards=10, seed=1)}
    assert sizes == {10, 11}


def test_seeds_differ() -> None:
    labels = np.zeros(100, int)
    one, two = (partition("iid", labels, num_shards=2, seed=s)[0] for s in (1, 2))
    assert not np.array_equal(one, two)


def test_a_small_alpha_skews_classes_and_a_large_one_does_not() -> None:
    labels = np.repeat(np.arange(10), 500)

    def largest_share(alpha: float) -> float:
        shards = partition(f"dirichlet:{alpha}", labels, num_shards=10, seed=1)
        shares = [np.bincount(labels[s], minlength=10) / len(s) for s in shards]
        return float(np.mean([share.max() for share in shares]))

    assert largest_share(0.1) > 0.45
    assert largest_share(1000) < 0.15


def test_quantity_skews_sizes_but_not_classes() -> None:
    labels = np.tile(np.arange(2), 5000)
    shards = partition("quantity:0.5", labels, num_shards=5, seed=3)
    sizes = sorted(len(s) for s in shards)
    assert sizes[-1] > 3 * sizes[0]
    assert np.mean(labels[max(shards, key=len)]) == pytest.approx(0.5, abs=0.05)


@given(st.integers(1, 3), st.integers(1, 10), st.integers(0, 2**53))
def test_a_shard_of_k_pieces_has_few_classes_and_its_share(k: int, each: int, seed: int) -> None:
    num_shards = 10  # a piece lies within one class: 10 classes of k whole pieces each
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(10), k * each))
    shards = partition(f"shards:{k}", labels, num_shards=num_shards, seed=seed)
    assert {len(shard) for shard in shards} == {k * each}
    assert max(len(np.unique(labels[shard])) for shard in shards) <= k


def test_pieces_are_dealt_at_random() -> None:
    labels = np.repeat(np.arange(10), 20)
    one, two = (partition("shards:2", labels, num_shards=10, seed=s) for s in (1, 2))
    pairs = [{tuple(np.unique(labels[shard])) for shard in shards} for shards in (one, two)]
    assert pairs[0] != pairs[1]
    assert sum(len(pair) == 2 for pair in pairs[0]) > 5, "neighbouring pieces stayed together"


@pytest.mark.parametrize("spec", [*SPECS, "any/where.npz"])
def test_a_split_that_is_understood_is_said_to_be(spec: str) -> None:
    check(spec)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("iid:3", "not known"),
        ("", "not known"),
        ("dirichlet", "needs a number"),
        ("dirichlet:x", "needs a number"),
        ("dirichlet:nan", "needs a number"),
        ("dirichlet:0", "needs a number"),
        ("quantity:-1", "needs a number"),
        ("shards", "needs a whole number"),
        ("shards:0", "needs a whole number"),
        ("shards:1.5", "needs a whole number"),
        ("shards:1001", "needs a whole number"),
    ],
)
def test_a_split_that_is_not_understood_is_refused(spec: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        check(spec)
    with pytest.raises(DataError, match=said):
        partition(spec, np.zeros(9, int), num_shards=2, seed=1)


def test_more_shards_than_examples_are_refused() -> None:
    with pytest.raises(DataError, match="use fewer"):
        partition("iid", np.zeros(3, int), num_shards=4, seed=1)
    with pytest.raises(DataError, match="use fewer"):
        partition("shards:2", np.zeros(7, int), num_shards=4, seed=1)


def test_dirichlet_needs_classes() -> None:
    with pytest.raises(DataError, match="needs one class per example"):
        partition("dirichlet:1", np.zeros(9, np.float32), num_shards=2, seed=1)


@pytest.mark.parametrize("spec", ["dirichlet:1", "shards:2"])
@pytest.mark.parametrize("kind", [np.int64, np.float32])
def test_several_targets_per_example_are_split_without_regard_to_them(spec: str, kind) -> None:
    labels = np.arange(24).reshape(12, 2).astype(kind)
    with pytest.raises(DataError, match="for several labels and for text use iid or quantity"):
        partition(spec, labels, num_shards=2, seed=1)
    for fair in ("iid", "quantity:1"):
        shards = partition(fair, labels, num_shards=2, seed=1)
        assert sorted(np.concatenate(shards)) == list(range(12))


def index_file(folder: Path, **arrays: object) -> str:
    path = folder / "split.npz"
    np.savez(path, **arrays)
    return str(path)


def test_an_index_file_is_taken_at_its_word(tmp_path: Path) -> None:
    spec = index_file(tmp_path, p0=np.array([3, 1], np.int32), p1=np.array([0], np.int32))
    shards = partition(spec, np.zeros(5), num_shards=2, seed=9)
    assert [s.tolist() for s in shards] == [[1, 3], [0]]


def test_a_broken_index_file_is_refused(tmp_path: Path) -> None:
    cases = {
        "uses an example twice": {"p0": [1, 2], "p1": [2]},
        "lack": {"p0": [1], "p1": [5]},
        "has 1 shards": {"p0": [1]},
        "arrays p0": {"p0": [1], "q": [2]},
    }
    for said, arrays in cases.items():
        with pytest.raises(DataError, match=said):
            partition(index_file(tmp_path, **arrays), np.zeros(5), num_shards=2, seed=1)
    (tmp_path / "bad.npz").write_bytes(b"PK not really")
    for name in ("bad.npz", "none.npz"):
        with pytest.raises(DataError, match="not an index file"):
            partition(str(tmp_path / name), np.zeros(5), num_shards=2, seed=1)


def test_a_node_takes_its_own_shard() -> None:
    examples = Examples(np.arange(20), np.arange(20) % 2)
    whole = [take_shard(examples, DataSource(shard=k, num_shards=3, seed=4)).x for k in range(3)]
    assert sorted(np.concatenate(whole).tolist()) == list(range(20))
    assert take_shard(examples, DataSource()) is examples
    assert take_shard(examples, DataSource(indices=(7, 2, 7))).x.tolist() == [2, 7]
    with pytest.raises(DataError, match="outside"):
        take_shard(examples, DataSource(indices=(20,)))


@given(st.integers(1, 500), st.floats(0, 0.99), st.integers(0, 2**53))
def test_holding_out_splits_in_two_and_never_moves(n: int, fraction: float, seed: int) -> None:
    train, held = holdout(n, fraction, seed=seed)
    assert np.array_equal(np.sort(np.concatenate([train, held])), np.arange(n))
    assert (np.diff(train) > 0).all()
    assert len(train) >= 1
    assert len(held) == 0 if fraction == 0 or n == 1 else len(held) >= 1
    assert abs(len(held) - n * fraction) <= 1.0
    again, _ = holdout(n, fraction, seed=seed)
    assert np.array_equal(train, again)
