"""SSIM against scikit-image 0.26 and what follows from its formula by hand."""

import numpy as np
import pytest

from fedtui.leakage.similarity import ssim

ROWS, COLUMNS = np.mgrid[0:9, 0:11]
A = ((3 * ROWS + 5 * COLUMNS) % 11) / 10
B = ((2 * ROWS + 7 * COLUMNS) % 13) / 12


def test_it_is_what_scikit_image_computes() -> None:
    """skimage.metrics.structural_similarity(A, ..., data_range=1.0)."""
    assert ssim(A, B) == pytest.approx(0.09755258881273689, abs=1e-12)
    assert ssim(A, np.clip(A + 0.2 * B - 0.1, 0, 1)) == pytest.approx(
        0.9828806011704321, abs=1e-12
    )


def test_of_even_grey_only_the_brightness_counts() -> None:
    """(2ab + C1) / (a² + b² + C1) with a 0.5, b 0.25, C1 0.0001."""
    found = ssim(np.full((8, 8), 0.5), np.full((8, 8), 0.25))
    assert found == pytest.approx(0.2501 / 0.3126)


def test_a_picture_is_like_itself_and_unlike_its_negative() -> None:
    assert ssim(A, A) == pytest.approx(1.0)
    assert ssim(A, 1 - A) < -0.5


@pytest.mark.parametrize("other", [A[:8], A[:, :6], A[0]])
def test_what_cannot_be_compared_is_refused(other: np.ndarray) -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        ssim(A if other.ndim == 2 and other.shape[1] == 11 else other, other)
