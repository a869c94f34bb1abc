"""The next model as a change of the one before it, made while it is written, block by block.

Stands between what makes a model (visible.py, masked.py) and where it goes. With 32 bits the model
stays as it was made. With fewer the canonical new model is the base plus the rounded change, the
very one that nodes make of it: rounded to `largest_level` steps of a scale, which is the largest
change of its SPAN values. Rounding is stochastic and seeded by plan, round and block, so small
changes are not lost on the average, and a simulation makes the model of a real federation.

No value changes its sign by rounding: a variance (BatchNorm's) that was and would be positive
stays so. Values nearer to zero than a step pay for that with a rounding towards no change.

Shapes: `_B` is one block of BLOCK float32 values (fewer at the end).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import zstandard
from numpy.typing import NDArray

from fedtui.combining.visible import CannotCombineError, Values
from fedtui.learning.params import Manifest, Vector, first_outside
from fedtui.wire import changes
from fedtui.wire.changes import BLOCK, SPAN, Bits
from fedtui.wire.tensors import VALUE_LIMIT, to_bytes

LEVEL = 3
_BLOCK_BYTES = 4 * BLOCK
_ROUND_LIMIT = 2**32


@dataclass(frozen=True, slots=True)
class Rounding:
    """To how many bits a value changes are rounded (32: not at all), and with which dice."""

    bits: Bits
    seed: int
    round: int


class Changing:
    """Takes a model's bytes in order and writes the canonical model and its change.

    `write_model` gets what the model's digest is taken of, `write_change` all but the digest that
    ends a change, which `num_bytes` counts along. Their errors come through.
    """

    def __init__(
        self,
        manifest: Manifest,
        base: Values,
        base_digest: bytes,
        *,
        rounding: Rounding,
        write_model: Callable[[memoryview], object],
        write_change: Callable[[bytes], object],
    ) -> None:
        """Begin the change."""
        self._manifest = manifest
        self._base = base
        self._bits: Bits = rounding.bits
        self._seed = (rounding.seed, rounding.round)
        self._write_model = write_model
        self._write_change = write_change
        self._compressor = zstandard.ZstdCompressor(level=LEVEL)
        self._held = bytearray()
        self._first = 0
        self.num_bytes = changes.DIGEST_BYTES
        self._say(changes.header(self._bits, manifest.num_values, base_digest))

    def write(self, data: memoryview) -> None:
        """Take the next bytes of the model, little-endian float32.

        Raises:
            CannotCombineError: the rounded model is out of range, or the base too short.
        """
        self._held += data
        while len(self._held) >= _BLOCK_BYTES:
            self._one(bytes(self._held[:_BLOCK_BYTES]))
            del self._held[:_BLOCK_BYTES]

    def finish(self) -> None:
        """All of the model was written: the last block. Raises as `write`."""
        if self._held:
            self._one(bytes(self._held))
            self._held.clear()

    def _one(self, data: bytes) -> None:
        model_B = np.frombuffer(data, "<f4")
        base_B = self._base.read(self._first, len(model_B))
        if self._bits == 32:
            plain = changes.exact(base_B, model_B)
        else:
            noise_B = _noise(self._seed, self._first // BLOCK, len(model_B))
            plain = rounded(base_B, model_B, self._bits, noise_B)
            model_B = changes.apply(self._bits, base_B, plain)
            if (found := first_outside(model_B, limit=VALUE_LIMIT)) is not None:
                name = self._manifest.tensor_at(self._first + found)
                raise CannotCombineError(
                    f"the new model would be out of range in tensor {name!r} once its change is "
                    "rounded: training diverged; lower the learning rate"
                )
        self._say(changes.block(plain, self._compressor))
        self._write_model(to_bytes(model_B))
        self._first += len(model_B)

    def _say(self, data: bytes) -> None:
        self.num_bytes += len(data)
        self._write_change(data)


def rounded(base_B: Vector, model_B: Vector, bits: Bits, noise_B: NDArray[np.float64]) -> bytes:
    """The body of the change, each value rounded up with the chance of what is left of it.

    `noise_B` is uniform in [0, 1), one a value.
    """
    change_B = model_B.astype(np.float64) - base_B
    num, most = len(change_B), changes.largest_level(bits)
    magnitudes = np.zeros(SPAN * changes.num_spans(num))
    magnitudes[:num] = np.abs(change_B)
    scales_S = (magnitudes.reshape(-1, SPAN).max(axis=1) / most).astype(np.float32)
    scale_B = np.repeat(scales_S, SPAN)[:num]
    with np.errstate(divide="ignore", invalid="ignore"):  # 0: nothing changed, or too little
        steps_B = np.where(scale_B > 0, change_B / scale_B, 0.0)
    levels_B = np.clip(np.floor(steps_B + noise_B), -most, most).astype(np.int32)
    crossed_B = _crosses(base_B, model_B, changes.moved(base_B, scale_B, levels_B))
    levels_B = np.where(crossed_B, levels_B - np.sign(levels_B), levels_B)
    return changes.coarse(scales_S, levels_B, bits)


def _crosses(base_B: Vector, model_B: Vector, made_B: Vector) -> NDArray[np.bool_]:
    """Where a value got a sign that neither end has."""
    below = (made_B < 0) & (base_B >= 0) & (model_B >= 0)
    return below | ((made_B > 0) & (base_B <= 0) & (model_B <= 0))


def _noise(seed: tuple[int, int], index: int, num_values: int) -> NDArray[np.float64]:
    """Uniform in [0, 1), from raw bits, whose stream numpy promises to keep."""
    bits = np.random.PCG64([*seed, index]).random_raw(-(-num_values // 2))
    noise: NDArray[np.float64] = bits.astype("<u8").view("<u4")[:num_values] / _ROUND_LIMIT
    return noise
