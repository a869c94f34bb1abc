"""What a run's strategy kept beside a model, as a safetensors file: so that a run can go on.

It holds the kept vectors (float64), the digest of the model that they belong to, and one over
everything: a file that was torn, changed or left from another model is not taken for the state.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import safetensors.numpy

from fedtui.errors import ExitCode, OperatorError
from fedtui.strategies.base import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_MODEL, _CHECK = "fedtui.model", "fedtui.check"


class StateError(OperatorError):
    """A file that does not hold the state of this model."""

    exit_code = ExitCode.BAD_DATA


def to_bytes(state: State, model: bytes) -> bytes:
    """The file of the state beside the model with this digest (32 bytes)."""
    arrays: dict[str, NDArray[np.generic]] = dict(state.vectors)
    arrays[_MODEL] = np.frombuffer(model, np.uint8)
    arrays[_CHECK] = np.frombuffer(_check(state.vectors, model), np.uint8)
    return bytes(safetensors.numpy.save(arrays))


def from_bytes(data: bytes, model: bytes) -> State:
    """What `to_bytes` was given. Raises StateError if it is not of this model, or damaged."""
    try:
        arrays = safetensors.numpy.load(data)
        found, check = arrays.pop(_MODEL), arrays.pop(_CHECK)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise StateError(f"the strategy's state is damaged: {error}") from error
    if found.tobytes() != model or check.tobytes() != _check(arrays, model):
        raise StateError("the strategy's state is damaged, or of another model")
    return State(arrays)


def _check(vectors: Mapping[str, NDArray[np.generic]], model: bytes) -> bytes:
    state = blake2b(model, digest_size=32)
    for name in sorted(vectors):
        vector = np.ascontiguousarray(vectors[name])
        state.update(f"{name} {vector.dtype.str} {vector.shape} ".encode())
        state.update(vector.view(np.uint8).data)
    return state.digest()
