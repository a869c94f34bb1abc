"""Round robin: whoever was not picked for longest comes first, so all are picked equally often.

Yang et al., "Scheduling Policies for Federated Learning in Wireless Networks", IEEE Trans. Comm.
2020, section III (round robin). Among those who waited equally long, who was picked less often
comes first, then chance decides, so the same nodes do not always meet. Trap: equal turns are not
equal say: who drops out of every round it is picked for has had its turns all the same, and a slow
node holds up each round that is its turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedtui.selection.base import Candidate, Selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np


@dataclass(frozen=True, slots=True)
class RoundRobin(Selection):
    """No options."""

    def pick(
        self,
        present: Sequence[Candidate],
        size: int,
        rng: np.random.Generator,
        number: int,  # noqa: ARG002 - the order alone counts
    ) -> frozenset[bytes]:
        lots = rng.permutation(len(present)).tolist()
        waited = [(one.last_round, one.num_picked, lots[at]) for at, one in enumerate(present)]
        order = sorted(range(len(present)), key=waited.__getitem__)
        return frozenset(present[at].node for at in order[:size])


build = RoundRobin
