"""Which inputs are images, and where their rows and columns are."""

import math

from fedtui.learning.data import Array, DataError


def as_images(x: Array) -> Array:
    """A view of `x` whose two last axes are the rows and columns of images, at least 2 by 2.

    Understood are shapes (n, h, w), (n, channels, h, w), and (n, k * k) for flat squares.

    Raises:
        DataError: any other shape.
    """
    flat = x.ndim == 2
    side = math.isqrt(x.shape[1]) if flat else 0
    images = x.reshape(len(x), side, side) if flat and side * side == x.shape[1] else x
    if images.ndim not in {3, 4} or min(images.shape[-2:]) < 2:
        raise DataError(
            f"inputs of shape {x.shape[1:]} are no images: they are rows and columns, channels "
            "before them if there are any, or a flat square"
        )
    return images
