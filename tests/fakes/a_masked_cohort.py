"""Real participants of one masked attempt, against a real coordinator's half, in memory.

    cohort = MaskedCohort(PLAN, updates, base)
    cohort.run(lose={3})          # node 3 shares its secrets and is not heard again
    cohort.opener, cohort.vectors

Nodes are numbered by rising id. What they mask are their `updates`, weighed by `examples`.
"""

import hashlib

import numpy as np

from fedtui.crypto.keys import Identity
from fedtui.learning.params import Vector
from fedtui.rounds import compression, hiding, masking
from fedtui.rounds.plan import FederationSection, Plan, PrivacySection, TaskSection, WeightsSection
from fedtui.rounds.shrinking import Spot, sent
from fedtui.secagg import masks
from fedtui.secagg.context import Attempt
from fedtui.secagg.encoding import Hidden
from fedtui.secagg.grouped import Grouped
from fedtui.secagg.participant import Participant
from fedtui.secagg.terms import Terms
from fedtui.wire.masked_messages import Reveal, Share

BOSS = Identity.from_seed(b"c" * 32)
MASKED_PLAN = Plan(
    federation=FederationSection(name="test"),
    task=TaskSection(name="digits"),
    weights=WeightsSection(cap=1000),
    privacy=PrivacySection(updates="masked", colluders=1, minimum=3, largest_cohort=10),
)


def identities(num: int) -> list[Identity]:
    """Nodes in the order of the roster."""
    seeds = [hashlib.blake2b(bytes([n]), digest_size=32).digest() for n in range(num)]
    return sorted((Identity.from_seed(seed) for seed in seeds), key=lambda one: one.id)


class MaskedCohort:
    def __init__(self, plan: Plan, updates: list[Vector], examples: list[int]) -> None:
        self.plan, self.updates, self.examples = plan, updates, examples
        self.nodes = identities(len(updates))
        self.layout = masking.encoding(plan, len(updates[0]), "update")
        self.attempt = Attempt(
            federation_id=b"f" * 32,
            coordinator_id=BOSS.id,
            purpose="update",
            round=4,
            attempt=2,
            incarnation=3,
            model_digest=b"m" * 32,
            plan_hash=b"p" * 32,
        )
        numbers = masking.numbers(plan, len(updates))
        colluders, minimum = numbers.colluders, numbers.minimum
        self.opener = Grouped(
            self.attempt,
            BOSS,
            colluders=colluders,
            minimum=minimum,
            group=numbers.group,
        )
        terms = Terms(
            colluders=colluders, minimum=minimum, largest=len(updates), group=numbers.group
        )
        self.halves = [
            Participant(
                self.attempt,
                terms,
                signer=node,
                coordinator=BOSS.public,
                entropy=np.random.default_rng([7, number]).bytes,
            )
            for number, node in enumerate(self.nodes)
        ]
        self.vectors: dict[int, bytes] = {}

    def run(
        self, *, lose: frozenset[int] = frozenset(), liars: frozenset[int] = frozenset()
    ) -> "MaskedCohort":
        """Go through all phases; `lose` are lost after their shares, `liars` reveal nonsense."""
        opener = self.opener
        for node, half in zip(self.nodes, self.halves, strict=True):
            assert opener.ready(node.public, 1, half.advertise())
        roster = opener.introduce(3)
        for node, half in zip(self.nodes, self.halves, strict=True):
            assert opener.shares(node.id, half.share(roster))
        opener.include(node.id for node in self.nodes)
        for number in [n for n in range(len(self.nodes)) if n not in lose]:
            self.vectors[number] = self._vector(number)
        opener.choose(self.nodes[number].id for number in self.vectors)
        for number in self.vectors:
            node, half = self.nodes[number].id, self.halves[number]
            assert opener.vote(node, half.vote(opener.survivors_message(node, 3)))
        for number in self.vectors:
            node = self.nodes[number].id
            reveal = self.halves[number].reveal(opener.votes(node, 3))
            reveal = _spoilt(reveal) if number in liars else reveal
            assert opener.reveal(node, reveal)
        return self

    def mean(self) -> np.ndarray:
        """What the sum must say."""
        numbers = sorted(self.vectors)
        updates = np.stack([self.updates[n].astype(np.float64) for n in numbers])
        return np.average(updates, axis=0, weights=[self.examples[n] for n in numbers])

    @property
    def step(self) -> float:
        """By how much the mean may be rounded."""
        share = sum(self.examples[n] for n in self.vectors) / self.plan.weight_cap
        return len(self.vectors) / (self.layout.scale * share)

    def _vector(self, number: int) -> bytes:
        letter = self.opener.mailbox(self.nodes[number].id, 3)
        examples = self.examples[number]
        scalars = {"weight": float(examples), "loss_sum": 0.5 * number, "examples": examples}
        chain = compression.chain(self.plan, len(self.updates[number]))
        leaving = sent(chain, self.updates[number], None, Spot(self.plan.seed, self.attempt.round))
        words, _ = masks.masked(
            self.layout,
            leaving.vector_M,
            scalars,
            weight=examples / self.plan.weight_cap,
            of=self.halves[number].masks(letter),
            hidden=self._hidden(number),
        )
        return words.astype("<u8").tobytes()

    def _hidden(self, number: int) -> Hidden | None:
        numbers = masking.numbers(self.plan, len(self.updates))
        honest = hiding.honest_of(numbers.minimum, numbers.colluders)
        noise = hiding.at_node(self.plan, honest)
        return None if noise is None else Hidden(noise, bytes([number]) * 32)


def _spoilt(reveal: Reveal) -> Reveal:
    """Shares that lie in the field and on no polynomial."""
    selves = tuple(Share(position=one.position, share=b"\x05" * 32) for one in reveal.selves)
    return Reveal(
        incarnation=reveal.incarnation,
        round=reveal.round,
        attempt=reveal.attempt,
        selves=selves,
        masks=reveal.masks,
    )
