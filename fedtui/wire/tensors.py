"""Arrays to and from raw little-endian bytes, against a manifest. No pickle, no self-description.

A model or an update on the wire is its tensors' float32 values in manifest order, nothing between
them: 4 * D bytes exactly. What the bytes mean is said by the manifest, which both sides agreed on
before; so there is nothing in the bytes to parse, and nothing to attack but number and values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fedtui.errors import FedtuiError
from fedtui.learning.params import first_outside

if TYPE_CHECKING:
    from fedtui.learning.params import Manifest, Vector

VALUE_LIMIT = 1024.0  # |value| of an update or model stays below; training far beyond diverged


class TensorError(FedtuiError, ValueError):
    """Bytes or values that are not a vector of this manifest."""


def to_bytes(vector_D: Vector) -> memoryview:
    """The wire form of a flat float32 vector; a view, not a copy, on little-endian machines."""
    return np.ascontiguousarray(vector_D, "<f4").view(np.uint8).data


def from_bytes(data: bytes | bytearray | memoryview, manifest: Manifest) -> Vector:
    """The flat vector in `data`: a read-only view where `data` is immutable.

    Raises:
        TensorError: not exactly `manifest.num_bytes` long.
    """
    if len(data) != manifest.num_bytes:
        raise TensorError(
            f"expected {manifest.num_bytes} bytes for {manifest.num_values} values, "
            f"got {len(data)}"
        )
    return np.frombuffer(data, "<f4").astype(np.float32, copy=False)


def check_finite(vector_D: Vector, manifest: Manifest, *, limit: float = VALUE_LIMIT) -> None:
    """Refuse NaN, Inf and |value| >= limit.

    Raises:
        TensorError: names the tensor and the first such value.
    """
    found = first_outside(vector_D, limit=limit)
    if found is None:
        return
    value = float(vector_D[found])
    what = f"{value:g} is out of range" if np.isfinite(value) else f"{value} is not a number"
    raise TensorError(
        f"tensor {manifest.tensor_at(found)!r}: {what}, magnitudes below {limit:g} are expected"
    )
