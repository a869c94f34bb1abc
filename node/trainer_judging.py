"""What the trainer finds out for this node's own operator: a digest of the data, own scores.

Both stay on this machine. A task that cannot judge costs its figures only: training goes on.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from fedtui.learning.result import StoppedError
from node.jobs import DataSeen

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedtui.learning.data import Array, Examples


def data_seen(examples: Examples) -> DataSeen:
    """How many examples there are, and a digest of every value, shape and type of them."""
    state = hashlib.blake2b(digest_size=32, person=b"fedtui1-data")
    for array in (examples.x, examples.y):
        state.update(f"{array.dtype.str} {array.shape}\0".encode())
        state.update(_bytes(array))
    return DataSeen(num_examples=len(examples), digest=state.hexdigest())


def first(examples: Examples, most: int) -> Examples:
    """At most so many of them. They were drawn at random when they were held out."""
    return examples if len(examples) <= most else examples.take(np.arange(most))


def judged(judge: Callable[[], dict[str, float]]) -> dict[str, float]:
    """The sums that `judge` gives; none if the task cannot, for what reason ever."""
    try:
        return judge()
    except StoppedError:
        raise
    except Exception:  # noqa: BLE001 - foreign code; the update must not depend on a courtesy
        return {}


def _bytes(array: Array) -> bytes | memoryview:
    if array.dtype.hasobject:
        return repr(array.tolist()).encode()
    return np.ascontiguousarray(array).view(np.uint8).reshape(-1).data if array.size else b""
