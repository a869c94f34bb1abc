"""Where every random number of a population comes from: one generator per purpose and thing.

A generator is keyed on (seed, purpose, ...), so what one node draws does not depend on who else
was asked, or when. The purposes are large numbers: no key of a plan's own draws (a seed, a round,
an attempt) collides with them. Changing one changes every population: add, never renumber.
"""

from enum import IntEnum

import numpy as np

from fedtui.crypto.keys import digest


class Purpose(IntEnum):
    """What is drawn."""

    SPEED = 7_000_001
    LATENCY = 7_000_002
    UPLINK = 7_000_003
    DOWNLINK = 7_000_004
    MALICE = 7_000_005
    FIRST_STATE = 7_000_006
    SESSION = 7_000_007
    PHASE_OF_DAY = 7_000_008
    DROPOUT = 7_000_009
    SHIFT = 7_000_010
    SLOW = 7_000_011
    DECLARED = 7_000_012
    NOISE = 7_000_013


def generator(seed: int, purpose: Purpose, *key: int) -> np.random.Generator:
    """The generator of one purpose; the numbers of `key` are 0 or more."""
    return np.random.default_rng([seed, int(purpose), *key])


def noise_seed(seed: int, *key: int) -> bytes:
    """What stands for 32 fresh random bytes where differential privacy wants them."""
    parts = (seed, int(Purpose.NOISE), *key)
    return digest("fedtui1-simulated", *(part.to_bytes(8, "little") for part in parts))
