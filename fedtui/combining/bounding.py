"""How long the updates of honest nodes can be, and the means of their sums; what is longer.

Every node cuts its update to the plan's `update_clip` (L2) before it sends it, and what a plan's
transforms make of it is no longer than that; under `[dp]` its own noise comes on top. So a longer
update is of a node that does not keep to the plan. It is refused, not cut: cut, it would count as
much as any other, and nobody would learn of it.

Masked updates cannot be measured one by one, their means are. The mean of any updates within the
clip, however they are weighed, is within it; so a longer one shows that somebody in it does not
keep to the plan: masked.py refuses the sum, grouped.py leaves the group out.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fedtui.rounds import compression, hiding

if TYPE_CHECKING:
    from fedtui.combining.visible import Values
    from fedtui.rounds.plan import Plan
    from fedtui.secagg.encoding import Encoding

ROUNDING = 1e-5
"""What float32 may make of a length, as a share of it."""
NOISE_SIGMAS = 7
"""Noise of D values is longer than sigma * (sqrt(D) + 7) less than once in 10**11 times."""
_SPAN = 2**16


def longest(plan: Plan, num_values: int) -> float | None:
    """The L2 length that no honest visible update of a model of `num_values` exceeds, as sent.

    None if there is none: the plan has no `update_clip`, its updates are masked, or its transforms
    add what earlier updates left behind.
    """
    clip, chain = plan.training.update_clip, compression.chain(plan, num_values)
    if clip is None or plan.masked or chain.remembers:
        return None
    noise = hiding.at_node(plan)
    sigma = 0.0 if noise is None else noise.sigma
    reach = math.sqrt(chain.num_sent(num_values)) + NOISE_SIGMAS
    return clip * (1 + ROUNDING) + sigma * reach


def longest_mean(plan: Plan, layout: Encoding, num_nodes: int, share: float) -> float | None:
    """The L2 length that no mean of so many masked updates of honest nodes exceeds, as sent.

    `share` is their summed weight, in full weights. None if the plan has no `update_clip`.
    """
    clip = plan.training.update_clip
    if clip is None:
        return None
    root = math.sqrt(layout.num_values)
    # Stochastic rounding moves each value of each vector by less than one step.
    steps = num_nodes / (layout.scale * share) * root
    return (
        clip * (1 + ROUNDING)
        + steps
        + hiding.in_sum(plan, num_nodes) / share * (root + NOISE_SIGMAS)
    )


def too_long(sent: Values, most: float | None) -> str | None:
    """Why an update is refused whose every value is finite; None if it is no longer than `most`.

    Streams over the file: memory is one chunk. Run it in a thread.
    """
    if most is None:
        return None
    squares = math.fsum(
        float(np.square(sent.read(first, _SPAN), dtype=np.float64).sum())
        for first in range(0, sent.num_values, _SPAN)
    )
    length = math.sqrt(squares)
    if length <= most:
        return None
    return (
        f"it has length {length:.6g}, and no update that is cut to the plan's update_clip is "
        f"longer than {most:.6g}"
    )
