"""What the trainer keeps of its last training, to say how far it was from the model that came.

The model that it began with and the update that it made are mapped, not copied: they cost disk, no
memory, for as long as the next training is still to come. The files may be deleted meanwhile;
Windows would not let go of a mapped file, so nothing is kept there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from fedtui.learning.drift import drift
from node.jobs import Drift

if TYPE_CHECKING:
    from fedtui.learning.params import Params, Vector


@dataclass(frozen=True, slots=True, eq=False)
class _Last:
    round: int
    model: Params
    update_D: Vector
    stretch: float


class LastTraining:
    """The newest training of this process."""

    def __init__(self) -> None:
        self._last: _Last | None = None

    def trained(
        self, number: int, model: Params, update: Path | IO[bytes], *, stretch: float = 1.0
    ) -> None:
        """Remember the update that lies in `update`, made in a round from `model`.

        What travels behind it for the strategy is no part of it; what training changed is
        `stretch` times what is sent of it.
        """
        self._last = None
        if os.name != "nt" and model.manifest.num_values:
            mapped = np.asarray(np.memmap(update, "<f4", "r", shape=model.vector_D.shape))
            if not isinstance(update, Path):
                update.close()  # the map stays
            mapped = mapped.astype(np.float32, copy=False)
            self._last = _Last(number, model, mapped, stretch)

    def against(self, number: int, model: Params) -> Drift | None:
        """How far the last update was from the model that round `number` begins with.

        None without an earlier round's, or with one of another model.
        """
        last, self._last = self._last, None
        if last is None or last.round >= number or last.model.manifest != model.manifest:
            return None
        trained_D = last.update_D
        if last.stretch != 1:
            trained_D = last.update_D * np.float32(last.stretch)
        found = drift(trained_D, last.model.vector_D, model.vector_D)
        return Drift(
            round=last.round,
            num_rounds=number - last.round,
            distance=found.distance,
            own=found.own,
            moved=found.moved,
            cosine=found.cosine,
        )
