"""What hiding an update costs: `python -m benchmarks.noise [--dim 1000000] [--json]`.

Milliseconds for a million values, side by side: writing an update under masks as it is, clipped,
and clipped with the noise of a node; clipping and noise of a visible update; and the noise that a
coordinator adds to a mean. Medians of --repetitions, each way in turn, on one core.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.printing import show
from fedtui.privacy import noise
from fedtui.privacy.noise import Central, Noise
from fedtui.secagg.encoding import Encoder, Encoding, Hidden

if TYPE_CHECKING:
    from collections.abc import Callable

CLIP, SIGMA = 1.0, 0.3
SEED = bytes(32)


def encode(update_D: np.ndarray, hidden: Hidden | None) -> None:
    layout = Encoding(
        num_values=len(update_D), scalars=(), lanes=2, largest_cohort=100, value_range=8.0
    )
    encoder = Encoder(layout, update_D, {}, weight=1.0, rounding_seed=SEED, hidden=hidden)
    for index in range(layout.num_chunks):
        encoder.chunk(index)


def central(mean_D: np.ndarray) -> None:
    added = Central(1.0, CLIP / 100, len(mean_D), SEED)
    for first in range(0, len(mean_D), 2**16):
        added.hide(mean_D[first : first + 2**16], first)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dim", type=int, default=1_000_000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    update_D = np.random.default_rng(1).standard_normal(options.dim, np.float32) / 1000
    mean_D = update_D.astype(np.float64)
    clipped = Hidden(Noise(clip=CLIP, sigma=0.0), SEED)
    noisy = Hidden(Noise(clip=CLIP, sigma=SIGMA), SEED)
    ways: dict[str, Callable[[], object]] = {
        "masked": lambda: encode(update_D, None),
        "masked, clipped": lambda: encode(update_D, clipped),
        "masked, clipped, noise": lambda: encode(update_D, noisy),
        "visible, clipped": lambda: noise.noised(update_D, clipped.noise, SEED),
        "visible, clipped, noise": lambda: noise.noised(update_D, noisy.noise, SEED),
        "central": lambda: central(mean_D),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.repetitions + 1):
        for name, work in ways.items():
            begun = time.perf_counter()
            work()
            taken[name].append(1e9 * (time.perf_counter() - begun) / options.dim)
    found = {f"{name}, ms": statistics.median(times[1:]) for name, times in taken.items()}
    show(found, as_json=options.json)


if __name__ == "__main__":
    main()
