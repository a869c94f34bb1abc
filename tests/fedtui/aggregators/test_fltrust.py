"""FLTrust against its definition on whole vectors, and by hand."""

import numpy as np
import pytest
from rows_combined import Rows, aggregate, rows

from fedtui.aggregators.fltrust import FLTrust


def written_out(rows_ND: Rows, guide: int) -> np.ndarray:
    whole_ND = rows_ND.astype(np.float64)
    trusted_D = whole_ND[guide]
    others = [row_D for at, row_D in enumerate(whole_ND) if at != guide]
    length = np.linalg.norm(trusted_D)
    trust = [max(0, row_D @ trusted_D / np.linalg.norm(row_D) / length) for row_D in others]
    as_long = [row_D * length / np.linalg.norm(row_D) for row_D in others]
    return sum(t * row_D for t, row_D in zip(trust, as_long, strict=True)) / sum(trust)


def test_by_hand() -> None:
    """Of length 5 become (3, 4), cosine 0.6, and (5, 0), cosine 1; the others count nothing."""
    lines = rows([5, 0], [6, 8], [50, 0], [-1, 0], [0, 9])
    expected = (0.6 * np.array([3, 4]) + np.array([5, 0])) / 1.6
    np.testing.assert_allclose(aggregate(FLTrust(), lines, guide=0), expected, rtol=1e-9)


@pytest.mark.parametrize("guide", [0, 3, 7])
def test_as_the_paper_has_it_where_nobody_is_much_shorter_than_the_root(guide: int) -> None:
    rng = np.random.default_rng(1)
    rows_ND = (rng.normal(size=60) + rng.normal(size=(8, 60))).astype(np.float32)
    rows_ND *= 3
    rows_ND[guide] /= 3
    rows_ND[(guide + 2) % 8] *= -40
    expected = written_out(rows_ND, guide)
    result_D = aggregate(FLTrust(), rows_ND, guide=guide)
    np.testing.assert_allclose(result_D, expected, rtol=1e-6, atol=1e-7)


def test_shorter_updates_are_not_made_longer() -> None:
    lines = rows([10, 0], [1, 0], [2, 0])
    result_D = aggregate(FLTrust(), lines, guide=0)
    assert 1 <= result_D[0] <= 2
    assert result_D[1] == 0


def test_it_holds_while_most_are_bad() -> None:
    rng = np.random.default_rng(2)
    honest_ND = (rng.normal(size=200) + 0.3 * rng.normal(size=(3, 200))).astype(np.float32)
    bad_ND = np.tile(-20 * honest_ND[0], (7, 1))
    result_D = aggregate(FLTrust(), np.concatenate([honest_ND, bad_ND]), guide=0)
    mean_D = honest_ND.mean(axis=0)
    cosine = result_D @ mean_D / np.linalg.norm(result_D) / np.linalg.norm(mean_D)
    assert cosine > 0.9


def test_if_nobody_agrees_nothing_changes() -> None:
    assert not aggregate(FLTrust(), rows([1, 0], [-1, 0], [-3, 1]), guide=0).any()


def test_without_the_update_that_is_trusted_there_is_no_result() -> None:
    with pytest.raises(ValueError, match="is not among these"):
        aggregate(FLTrust(), rows([1], [2], [3]), guide=None)  # type: ignore[arg-type]
