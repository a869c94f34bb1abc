"""A cohort in groups, phase by phase, with real halves: a_cohort.py with a Grouped coordinator.

    cohort = GroupedCohort(9, group=3).run()
    assert cohort.sums == {at: cohort.naive(nodes) for at, nodes in cohort.in_sum.items()}

A group with too few left is dropped. `sums` and `in_sum` are by group.
"""

import numpy as np
from a_cohort import BOSS, Cohort

from fedtui.secagg.grouped import Grouped
from fedtui.secagg.terms import Terms


class GroupedCohort(Cohort):
    def __init__(self, num, *, group=3, c=1, minimum=3, **options) -> None:
        super().__init__(num, c=c, minimum=minimum, **options)
        self.group = group
        self.terms = Terms(colluders=c, minimum=minimum, largest=num, group=group)
        self.participants = [self.participant(node) for node in range(num)]
        self.coordinator = self.fresh()
        self.sums, self.in_sum = {}, {}

    def fresh(self) -> Grouped:
        return Grouped(
            self.attempt,
            BOSS,
            colluders=self.terms.colluders,
            minimum=self.terms.minimum,
            group=self.group,
        )

    @property
    def numbers(self):
        return {identity.id: node for node, identity in enumerate(self.identities)}

    def members(self, at):
        """The nodes of group `at`."""
        return [self.numbers[one] for one in self.coordinator.members(at)]

    def introduce(self):
        self.roster = self.coordinator.introduce(self.attempt.incarnation)
        whole = {at: self.coordinator.members(at) for at in range(self.coordinator.num_groups)}
        self.ids = [one for members in whole.values() for one in members]

    def mask(self):
        self._thin("shares", lambda half: half.num_shared, lambda half: half.least)
        self.coordinator.include(self.ids)
        lost = self.lose.get("masked", set())
        for half in self.coordinator.groups.values():
            for node in self._members("shares", within=half.ids(half.included)):
                letter = self.coordinator.mailbox(self.identities[node].id, 3)
                masks = self._ask(node, self.participants[node].masks, letter)
                if masks is None:
                    continue
                self.masks[node] = masks
                words = self.spoil(node, self.cover(self.vector(node), masks))
                if node not in lost:
                    self.masked[node] = words
        self.gone |= lost

    def choose(self):
        here = {self.identities[node].id for node in self.masked}
        self._thin("masked", lambda half: len(here & set(half.nodes)), lambda half: half.least)
        self.survivors = tuple(self.numbers[one] for one in self.coordinator.choose(here))

    def vote(self):
        for node in self._alive("vote", self.survivors):
            message = self.coordinator.survivors_message(self.identities[node].id, 3)
            vote = self._ask(node, self.participants[node].vote, message)
            if vote is not None:
                self.coordinator.vote(self.identities[node].id, vote)

    def reveal(self):
        self._thin("vote", lambda half: half.num_votes, lambda half: half.quorum)
        for node in self._alive("reveal", self.survivors):
            if not self.coordinator.has_voted(self.identities[node].id):
                continue
            message = self.coordinator.votes(self.identities[node].id, 3)
            shares = self._ask(node, self.participants[node].reveal, message)
            if shares is not None:
                self.coordinator.reveal(self.identities[node].id, shares)

    def open(self):
        self._thin("reveal", lambda half: half.can_open, lambda half: 1)
        for at, half in self.coordinator.groups.items():
            unmasking = half.unmasking()
            nodes = [self.numbers[one] for one in half.ids(half.survivors)]
            total = np.zeros(self.encoding.num_words, np.uint64)
            for node in nodes:
                total += self.masked[node]
            self.survivors = nodes  # decoded() counts them
            self.in_sum[at] = nodes
            self.sums[at] = self.decoded(total, unmasking.plus, unmasking.minus)

    def _thin(self, phase, have, need):
        for at, half in list(self.coordinator.groups.items()):
            if have(half) < need(half):
                self.coordinator.drop(at, phase)
                self.gone |= {self.numbers[one] for one in half.nodes}
