"""A cohort of a drill, and what an attacker sees of it: an update, a masked sum, one with noise.

The updates are trained as the plan says, by the code of a node's trainer, and a sum is made of
integers as under masks: quantised by every node, added modulo 2**64, decoded. The masks themselves
are left out, as they cancel. Strategies and transforms are left out, too.

Shapes: updates and sights are float64 of D values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fedtui.leakage import noise
from fedtui.rounds.compression import DEFAULT_RANGE
from fedtui.secagg.encoding import Encoder, Encoding, chunks, decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from fedtui.learning.data import Examples
    from fedtui.learning.params import Params, Vector
    from fedtui.learning.trainer import Workbench
    from fedtui.rounds.plan import Plan

    Sight = npt.NDArray[np.float64]


class View(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """What is seen: the sum of so many nodes, and the noise in it by its epsilon (None: none)."""

    nodes: int
    epsilon: float | None = None

    def __str__(self) -> str:
        what = "plain update" if self.nodes == 1 else f"masked sum of {self.nodes}"
        return what if self.epsilon is None else f"{what}, epsilon {self.epsilon:g}"


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """Nodes with so many examples each; node 0 is the victim, in every sum."""

    plan: Plan
    params: Params
    updates: Sequence[Vector]
    rounding: int

    def seen(self, view: View, delta: float, rng: np.random.Generator) -> Sight:
        """The mean that the attacker gets; with noise, of clipped updates.

        The clip is the plan's `update_clip`, or else the median length of the updates, which
        suits the attacker's victim and the model alike.
        """
        updates = [one.astype(np.float64) for one in self.updates[: view.nodes]]
        spread = 0.0
        if view.epsilon is not None:
            clip = self.plan.training.update_clip or float(
                np.median([np.linalg.norm(one) for one in updates])
            )
            updates = [noise.clipped(one, clip) for one in updates]
            spread = noise.multiplier_for(view.epsilon, delta) * clip
        total_D = updates[0] if view.nodes == 1 else self._summed(updates)
        if spread:
            total_D = total_D + rng.normal(0, spread, len(total_D))
        return total_D / view.nodes

    def _summed(self, updates: Sequence[Sight]) -> Sight:
        privacy = self.plan.privacy
        encoding = Encoding(
            num_values=len(updates[0]),
            scalars=(),
            lanes=privacy.lanes,
            largest_cohort=max(privacy.largest_cohort, len(updates)),
            value_range=privacy.value_range or DEFAULT_RANGE,
        )
        encoders = [
            Encoder(
                encoding,
                update.astype(np.float32),
                {},
                weight=1.0,
                rounding_seed=(self.rounding + node).to_bytes(32, "little"),
            )
            for node, update in enumerate(updates)
        ]
        total_D = np.empty(len(updates[0]))
        for index, _ in chunks(encoding):
            words_C = encoders[0].chunk(index)
            for encoder in encoders[1:]:
                words_C += encoder.chunk(index)
            steps = decode(encoding, words_C, index, len(updates))
            place = encoding.slots_of(index)
            total_D[place.start : place.stop] = steps / encoding.scale
        return total_D


def gather(
    plan: Plan,
    bench: Workbench,
    params: Params,
    examples: Examples,
    rows: Sequence[npt.NDArray[np.int64]],
    *,
    rounding: int,
) -> Cohort:
    """Train one node on each of `rows`, prepared examples, from the same model."""
    updates = [
        bench.train(params, examples, plan.training, seed=(plan.seed, 1, node), rows=own)
        for node, own in enumerate(rows)
    ]
    return Cohort(plan, params, [one.update_D for one in updates], rounding)
