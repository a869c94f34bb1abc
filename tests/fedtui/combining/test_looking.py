import numpy as np
import pytest
from a_cohort import Rows

from fedtui.combining.looking import SAMPLE, Look, Looking


def look(rows_ND: Rows, chunk: int = 2**16) -> tuple[Look, ...]:
    looking = Looking(*rows_ND.shape)
    for first in range(0, rows_ND.shape[1], chunk):
        looking.add(looking.glance(first, list(rows_ND[:, first : first + chunk])))
    return looking.looks()


def test_by_hand() -> None:
    """The median is (3, 4)."""
    found = look(np.array([[3, 4], [-30, -40], [4, 4], [0, 0], [4, 5]], np.float32))
    assert [one.length for one in found[:2]] == [5, 50]
    assert found[0].cosine == pytest.approx(1)
    assert found[1].cosine == pytest.approx(-1)
    assert found[3] == Look(0, None)


def test_small_updates_are_looked_at_whole() -> None:
    rows_ND = np.random.default_rng(1).normal(0.3, 1, size=(7, 9000)).astype(np.float32)
    median_D = np.median(rows_ND, axis=0)
    for one, row_D in zip(look(rows_ND, 2048), rows_ND, strict=True):
        near = row_D @ median_D / np.linalg.norm(row_D) / np.linalg.norm(median_D)
        assert one.cosine == pytest.approx(near, abs=1e-5)
        assert one.length == pytest.approx(np.linalg.norm(row_D), rel=1e-5)


def test_of_large_ones_the_cosine_is_near_and_the_length_exact() -> None:
    rows_ND = np.random.default_rng(2).normal(0.3, 1, size=(5, 300_001)).astype(np.float32)
    rows_ND[2] *= -3
    median_D = np.median(rows_ND, axis=0)
    for one, row_D in zip(look(rows_ND), rows_ND, strict=True):
        near = row_D @ median_D / np.linalg.norm(row_D) / np.linalg.norm(median_D)
        assert one.cosine == pytest.approx(near, abs=4 / SAMPLE**0.5)
        assert one.length == pytest.approx(np.linalg.norm(row_D), rel=1e-5)


def test_chunks_leave_no_trace_in_what_is_sampled() -> None:
    rows_ND = np.random.default_rng(3).normal(size=(4, 100_000)).astype(np.float32)
    for one, other in zip(look(rows_ND), look(rows_ND, 4096), strict=True):
        assert one.cosine == pytest.approx(other.cosine, abs=1e-12)


def test_a_sign_flip_among_many_stands_out_and_the_mean_hides_it() -> None:
    rows_ND = np.random.default_rng(4).normal(1, 1, size=(10, 500)).astype(np.float32)
    rows_ND[7] *= -100
    found = look(rows_ND)
    cosines = [one.cosine or 0.0 for one in found]
    assert cosines.index(min(cosines)) == 7
    assert max(one.length for one in found) == found[7].length > 50 * found[0].length
    mean_D = rows_ND.mean(axis=0)
    assert rows_ND[0] @ mean_D < 0 < rows_ND[7] @ mean_D
