"""A task that trains nothing: one tensor of `dim` values and a random update made once.

For benchmarks of the protocol: rounds cost what the network and the disk cost. Needs no torch.
"""

import numpy as np

from fedtui.learning.params import Manifest, TensorSpec, Vector


class NullTask:
    """Every update is the same vector of normal values with deviation 0.01, fixed by the seed."""

    metric = "loss"
    labels = ()

    def __init__(self, dim: int = 1_000_000) -> None:
        self._dim = dim
        self._made: tuple[int, Vector] | None = None

    def manifest(self) -> Manifest:
        return Manifest((TensorSpec("values", (self._dim,)),))

    def fixed_update(self, manifest: Manifest, seed: int) -> Vector:
        if self._made is None or self._made[0] != seed:
            rng = np.random.default_rng(seed)
            values = rng.standard_normal(manifest.num_values, np.float32)
            values *= np.float32(0.01)
            self._made = (seed, values)
        return self._made[1]


build = NullTask
