"""What of an update is hidden before the trainer writes it: its length, and itself in noise.

Fresh entropy for every vector: noise that was drawn twice could be taken away.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fedtui.privacy import noise
from fedtui.secagg.encoding import Encoder, Hidden

if TYPE_CHECKING:
    from fedtui.learning.params import Vector
    from node.jobs import MaskJob, TrainJob

_SEED_BYTES = 32


def encoder(job: MaskJob, update_D: Vector) -> Encoder:
    """What makes whole numbers of an update. Raises EncodingError and NoiseError."""
    hidden = None if job.noise is None else Hidden(job.noise, os.urandom(_SEED_BYTES))
    return Encoder(
        job.encoding,
        update_D,
        job.scalars,
        weight=job.weight,
        rounding_seed=job.rounding_seed,
        hidden=hidden,
    )


def hidden(job: TrainJob, sent_M: Vector) -> Vector:
    """What leaves visible: as it is, or clipped and with noise. Raises NoiseError."""
    if job.noise is None:
        return sent_M
    return noise.noised(sent_M, job.noise, os.urandom(_SEED_BYTES))
