"""Images: the shapes that are understood, as views, and those that are not."""

import numpy as np
import pytest

from fedtui.learning.data import DataError
from fedtui.learning.images import as_images


@pytest.mark.parametrize(
    ("shape", "seen"),
    [
        ((5, 64), (5, 8, 8)),
        ((5, 7, 9), (5, 7, 9)),
        ((5, 3, 7, 9), (5, 3, 7, 9)),
        ((0, 64), (0, 8, 8)),
    ],
)
def test_images_are_seen_as_rows_and_columns(shape: tuple, seen: tuple) -> None:
    x = np.arange(np.prod(shape)).reshape(shape)
    images = as_images(x)
    assert images.shape == seen
    assert np.shares_memory(images, x) or not x.size
    np.testing.assert_array_equal(images.ravel(), x.ravel())


@pytest.mark.parametrize("shape", [(3, 63), (3,), (3, 1), (3, 4, 1), (3, 2, 2, 2, 2)])
def test_what_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="no images"):
        as_images(np.ones(shape))
