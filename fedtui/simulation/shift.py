"""Feature shift: the same labels, but each node sees the world through its own eyes.

Scanners, cameras and sensors differ between places although what they look at does not ("feature
distribution skew", Kairouz et al. 2021, arXiv:1912.04977, section 3.1). A split can only move
examples between nodes; this changes the inputs themselves. Models with batch normalisation suffer
most (FedBN: Li et al. 2021, arXiv:2102.07623). With u drawn once per node, uniform in [-1, 1], and
`span` the range of the node's raw values:

    brightness   + u * strength * span: one camera exposes longer than the other
    contrast     times 4 ** (u * strength) about the mean: another film, another gain
    noise        + normal noise of sigma |u| * strength * span / 2, the same in every round: worse
                 sensors (after the noise-based skew of Li et al. 2022, arXiv:2102.02079)
    rotation     by u * strength * 180 degrees about the centre, as in rotated MNIST: how the
                 pictures were taken (images only; nearest pixel, corners get the lowest value)
    calibration  every feature times its own 1 + strength * v and plus strength * w of its standard
                 deviation, v and w uniform in [-1, 1]: instruments adjusted by different people

All but the last are for inputs that share one scale, such as pixels, and stay within the node's
own range; calibration suits tables, whose columns differ.
"""

import math

import numpy as np

from fedtui.learning.data import Array, DataError
from fedtui.learning.images import as_images
from fedtui.simulation.draws import Purpose, generator
from fedtui.simulation.population import Floats, ShiftSection


def shifted(x: Array, section: ShiftSection, seed: int, node: int) -> Array:
    """What node `node` (an index from 0) sees of its raw inputs `x`, shape (n, ...), any numbers.

    The answer has the same shape and dtype (whole numbers are rounded); `x` itself when there is
    no shift. The same arguments give the same answer.

    Raises:
        DataError: inputs that are no finite numbers, or a rotation of what are no images.
    """
    if section.name == "none" or section.strength == 0 or not x.size:
        return x
    if x.dtype.kind not in "iuf" or not np.isfinite(x).all():
        raise DataError(
            f"[population] shift: {section.name} needs inputs that are finite numbers, and "
            f"some of these ({x.dtype}) are not: mend the data or leave the shift out"
        )
    rng = generator(seed, Purpose.SHIFT, node)
    amount = float(rng.uniform(-1, 1)) * section.strength
    if section.name == "rotation":
        return _rotated(x, amount * math.pi)
    values: Array = x.astype(np.result_type(x.dtype, np.float32))
    low, high = float(values.min()), float(values.max())
    match section.name:
        case "brightness":
            values += amount * (high - low)
        case "contrast":
            mean = values.mean()
            values = (values - mean) * 4.0**amount + mean
        case "noise":
            sigma = abs(amount) * (high - low) / 2
            values += sigma * rng.standard_normal(values.shape, np.float32)
        case "calibration":
            values = _calibrated(values, section.strength, rng)
            low, high = _bounds(x)
    values = np.clip(values, low, high)
    return (values if x.dtype.kind == "f" else np.rint(values)).astype(x.dtype)


def _calibrated(values: Array, strength: float, rng: np.random.Generator) -> Array:
    gains, offsets = strength * rng.uniform(-1, 1, (2, *values.shape[1:]))
    deviations: Floats = values.std(axis=0)
    seen: Array = (values * (1 + gains) + offsets * deviations).astype(values.dtype)
    return seen


def _bounds(x: Array) -> tuple[float, float]:
    """The least and the greatest number of the dtype, for floats about to be rounded to it."""
    if x.dtype.kind == "f":
        info = np.finfo(x.dtype)
        return float(info.min), float(info.max)
    whole = np.iinfo(x.dtype)
    return float(whole.min), math.nextafter(float(whole.max), 0)


def _rotated(x: Array, angle: float) -> Array:
    """Each image turned by `angle` radians, anticlockwise with the first row on top."""
    images = as_images(x)
    height, width = images.shape[-2:]
    rows, columns = np.indices((height, width)) + 0.5
    y, z = rows - height / 2, columns - width / 2
    # where each pixel of the result comes from: turned back by the same angle
    from_rows = np.floor(y * math.cos(angle) + z * math.sin(angle) + height / 2).astype(np.int64)
    from_columns = np.floor(z * math.cos(angle) - y * math.sin(angle) + width / 2).astype(np.int64)
    inside = (from_rows >= 0) & (from_rows < height) & (from_columns >= 0) & (from_columns < width)
    taken = images[..., np.clip(from_rows, 0, height - 1), np.clip(from_columns, 0, width - 1)]
    return np.where(inside, taken, x.min()).astype(x.dtype).reshape(x.shape)
