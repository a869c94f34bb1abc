"""Which virtual nodes vanish in the middle of an attempt, and when they are back.

Each phase is tried in its order with its own probability; the first that comes up is the one, so a
node vanishes once in an attempt at most. With p the probability of a phase, a node reaches its
end with the product of (1 - p) over the phases so far.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from fedtui.simulation.draws import Purpose, generator
from fedtui.simulation.population import DropoutSection

Phase: TypeAlias = Literal["answering", "training", "sharing", "uploading", "confirming"]

PHASES: tuple[Phase, ...] = ("answering", "training", "sharing", "uploading", "confirming")
MASKED_ONLY: frozenset[Phase] = frozenset({"sharing", "confirming"})


@dataclass(frozen=True, slots=True)
class Drop:
    """Vanish in this phase, `at` of its length (0 to below 1), be back `back_after_s` later."""

    phase: Phase
    at: float
    back_after_s: float


def drop(
    section: DropoutSection, seed: int, *, node: int, number: int, attempt: int, masked: bool
) -> Drop | None:
    """Whether and when node `node` (an index from 0) vanishes in an attempt at round `number`.

    Without masks there are no phases `sharing` and `confirming`.
    """
    chances = [
        0.0 if phase in MASKED_ONLY and not masked else float(getattr(section, phase))
        for phase in PHASES
    ]
    if not any(chances):
        return None
    draws = generator(seed, Purpose.DROPOUT, node, number, attempt).random(len(PHASES) + 2)
    at, back = float(draws[-2]), float(draws[-1])
    low, high = section.back_after_s
    for phase, chance, draw in zip(PHASES, chances, draws[:-2], strict=True):
        if draw < chance:
            return Drop(phase, at, low + back * (high - low))
    return None
