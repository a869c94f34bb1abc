"""Client drift: how far a node's own training went from where all nodes together went.

After a round a node knows the step that the global model took, s, and has its own update, u, from
the same model. |u - s| is how far its own model lies from the new global one; the cosine of the
angle between u and s says whether it pulled the same way: about 1 where its data are like the
others', about 0 or less where they are not. Karimireddy et al., "SCAFFOLD", ICML 2020, section 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fedtui.learning.params import Vector

_CHUNK = 2**18


@dataclass(frozen=True, slots=True)
class Drift:
    """L2 norms: of u - s, u and s; the cosine is None where one of u and s is zero."""

    distance: float
    own: float
    moved: float
    cosine: float | None


def drift(update_D: Vector, before_D: Vector, after_D: Vector) -> Drift:
    """Of an update made from `before_D`, once the global model is `after_D`; all float32."""
    uu = ss = us = 0.0
    for start in range(0, len(update_D), _CHUNK):
        place = slice(start, start + _CHUNK)
        u_C = update_D[place].astype(np.float64)
        s_C = after_D[place].astype(np.float64) - before_D[place]
        uu, ss, us = uu + float(u_C @ u_C), ss + float(s_C @ s_C), us + float(u_C @ s_C)
    length = math.sqrt(uu) * math.sqrt(ss)
    cosine = min(1.0, max(-1.0, us / length)) if length > 0 else None
    return Drift(math.sqrt(max(0.0, uu + ss - 2 * us)), math.sqrt(uu), math.sqrt(ss), cosine)
