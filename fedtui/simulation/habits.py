"""Habits: virtual nodes come, go, and vanish in the middle of rounds, as the population says."""

import math
from typing import TYPE_CHECKING

from fedtui.rounds.machine import ParticipantEffect, Say, Train, Upload
from fedtui.rounds.masking_steps import Journal
from fedtui.simulation.availability import Availability
from fedtui.simulation.dropping import Drop, drop
from fedtui.wire.masked_messages import Shares
from fedtui.wire.messages import Accepting, Offer

if TYPE_CHECKING:
    from fedtui.simulation.dropping import Phase
    from fedtui.simulation.node_host import NodeHost
    from fedtui.simulation.population import Population
    from fedtui.simulation.village import Village


class Habits:
    """What the nodes of a village do besides their work."""

    def __init__(self, village: "Village", population: "Population", seed: int) -> None:
        self._village = village
        self._population = population
        self._seed = seed
        self._availability = Availability(population, seed)
        dropout = population.dropout
        self._drops = any(
            (
                dropout.answering,
                dropout.training,
                dropout.sharing,
                dropout.uploading,
                dropout.confirming,
            )
        )

    # ---- coming and going ---------------------------------------------------------------------

    def begin(self, node: "NodeHost") -> None:
        """Connect the node if it is there at the beginning, and follow its habits."""
        if self._availability.is_on(node.index, 0.0):
            self._village.connect_soon(node.name)
        else:
            self._village.offline.add(node.name)
        self._watch(node, 0.0)

    def _watch(self, node: "NodeHost", now: float) -> None:
        due = self._availability.next_change(node.index, now)
        if due < math.inf:
            self._village.clock.at(due, lambda: self._change(node, due))

    def _change(self, node: "NodeHost", now: float) -> None:
        if self._availability.is_on(node.index, now):
            self._village.go_online(node.name)
        else:
            self._village.go_offline(node.name)
        self._watch(node, now)

    # ---- vanishing ----------------------------------------------------------------------------

    def strike(self, node: "NodeHost", effect: ParticipantEffect) -> bool:
        """Whether the node vanishes instead of this; what takes time it may begin with."""
        if not self._drops:
            return False
        phase = _phase(effect)
        offer = node.machine.work
        if phase is None or not isinstance(offer, Offer):
            return False
        planned = drop(
            self._population.dropout,
            self._seed,
            node=node.index,
            number=offer.round,
            attempt=offer.attempt,
            masked=self._village.plan.masked,
        )
        if planned is None or planned.phase != phase:
            return False
        if isinstance(effect, Train):
            self._later(node, planned, node.train_s * planned.at)
        elif isinstance(effect, Upload):
            link = self._village.post.links[node.name]
            self._later(node, planned, effect.num_bytes / link.up_bytes_per_s * planned.at)
        else:
            self._vanish(node, planned)
            return True
        return False

    def _later(self, node: "NodeHost", planned: Drop, seconds: float) -> None:
        """Vanish then, if this attempt is still what the node is at."""
        offer = node.machine.work

        def due() -> None:
            if node.up and node.machine.work is offer:
                self._vanish(node, planned)

        self._village.clock.after(seconds, due)

    def _vanish(self, node: "NodeHost", planned: Drop) -> None:
        self._village.books.fate(node.name, f"dropped: {planned.phase}")
        self._village.crash(node.name, back_after_s=planned.back_after_s)


def _phase(effect: ParticipantEffect) -> "Phase | None":
    """Which phase of an attempt begins with this."""
    match effect:
        case Say(message=Accepting()):
            return "answering"
        case Train():
            return "training"
        case Say(message=Shares()):
            return "sharing"
        case Upload():
            return "uploading"
        case Journal(step="vote"):
            return "confirming"
        case _:
            return None
