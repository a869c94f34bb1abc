"""One attempt in memory: real participants and a real coordinator, seeded, phase by phase.

    cohort = Cohort(5, lose={"masked": {0}}).run()
    assert cohort.slots == cohort.naive()

Nodes are numbered by rising id, so a node's number is its position as long as all were ready. Who
is in `lose[phase]` says nothing from that phase on. Hooks stand on the wire: what
`to_node[Roster](node, message)` and `from_node[Vote](node, message)` return is what arrives, and
None is lost; `spoil(node, words)` changes masked vectors. A node that refuses is silent from then
on, and `refused[node]` is its sentence.
"""

import copy
import hashlib

import numpy as np

from fedtui.crypto import keystream
from fedtui.crypto.keys import Identity
from fedtui.errors import FedtuiError
from fedtui.secagg import encoding
from fedtui.secagg.context import Attempt
from fedtui.secagg.coordinator import Coordinator
from fedtui.secagg.encoding import Encoder, Encoding
from fedtui.secagg.participant import Participant, RefusedError
from fedtui.secagg.terms import Terms
from fedtui.wire.messages import Message

PHASES = ("ready", "shares", "masked", "vote", "reveal")
BOSS = Identity.from_seed(b"c" * 32)
ATTEMPT = Attempt(
    federation_id=b"f" * 32,
    coordinator_id=BOSS.id,
    purpose="update",
    round=7,
    attempt=1,
    incarnation=3,
    model_digest=b"m" * 32,
    plan_hash=b"p" * 32,
)


class AbortedError(FedtuiError):
    """What a coordinator says when a phase has too few answers."""


def entropy(*seed):
    """A seeded stream of bytes that looks like the system's generator."""
    return np.random.default_rng(seed).bytes


def identities(num, salt=0):
    """Node identities in the order of the roster."""
    seeds = [hashlib.blake2b(bytes([salt, i]), digest_size=32).digest() for i in range(num)]
    return sorted((Identity.from_seed(seed) for seed in seeds), key=lambda one: one.id)


def twin(participant):
    """The same node in the same state once more: what it refuses does not touch the first."""
    other = copy.copy(participant)
    for name, value in vars(participant).items():
        if isinstance(value, dict):
            setattr(other, name, dict(value))
    return other


class Cohort:
    def __init__(
        self, num, *, c=1, minimum=3, seed=0, size=5, lanes=2, lose=None, dropouts=0, attempt=None
    ) -> None:
        self.num, self.seed, self.size = num, seed, size
        self.attempt = attempt or ATTEMPT
        self.terms = Terms(colluders=c, minimum=minimum, largest=num)
        self.identities = identities(num)
        self.participants = [self.participant(node) for node in range(num)]
        self.coordinator = Coordinator(
            self.attempt, BOSS, colluders=c, minimum=minimum, dropouts=dropouts
        )
        self.encoding = Encoding(
            num_values=size,
            scalars=("weight", "examples"),
            lanes=lanes,
            largest_cohort=num,
            value_range=4.0,
        )
        self.lose = lose or {}
        self.to_node, self.from_node, self.spoil = {}, {}, lambda node, words: words
        self.refused, self.gone = {}, set()
        self.said = []  # (node, message) in both directions
        self.plain, self.masked, self.masks = {}, {}, {}
        self.survivors, self.slots, self.unmasking = (), [], None

    def participant(self, node, attempt=None) -> Participant:
        """A fresh half of `node`, always with the same secrets."""
        return Participant(
            attempt or self.attempt,
            self.terms,
            signer=self.identities[node],
            coordinator=BOSS.public,
            entropy=entropy(self.seed, node),
        )

    # ---- the phases -----------------------------------------------------------------------------

    def run(self, until="open"):
        for phase in ("ready", "introduce", "share", "mask", "choose", "vote", "reveal", "open"):
            getattr(self, phase)()
            if phase == until:
                break
        return self

    def ready(self):
        for node in self._alive("ready", range(self.num)):
            message = self._heard(node, self.participants[node].advertise())
            if message is not None:
                self.coordinator.ready(self.identities[node].public, 0, message)

    def introduce(self):
        self._need("ready", self.coordinator.num_ready, self.terms.minimum)
        self.roster = self.coordinator.introduce(self.attempt.incarnation)
        self.ids = self.coordinator.ids(range(len(self.roster.entries)))

    def share(self):
        for node in self._members("shares"):
            message = self._ask(node, self.participants[node].share, self.roster)
            if message is not None:
                self.coordinator.shares(self.identities[node].id, message)

    def mask(self):
        self._need("shares", self.coordinator.num_shared, self.coordinator.least)
        included = self.coordinator.ids(self.coordinator.include())
        lost = self.lose.get("masked", set())
        for node in self._members("shares", within=included):
            letter = self.coordinator.mailbox(self.identities[node].id, self.attempt.incarnation)
            masks = self._ask(node, self.participants[node].masks, letter)
            if masks is None:
                continue
            self.masks[node] = masks
            self.plain[node] = self.vector(node)
            words = self.spoil(node, self.cover(self.plain[node], masks))
            if node not in lost:
                self.masked[node] = words
        self.gone |= lost

    def choose(self):
        self._need("masked", len(self.masked), self.coordinator.least)
        self.coordinator.choose(self.identities[node].id for node in sorted(self.masked))
        self.survivors = tuple(sorted(self.masked))

    def vote(self):
        message = self.coordinator.survivors_message(self.attempt.incarnation)
        for node in self._alive("vote", self.survivors):
            vote = self._ask(node, self.participants[node].vote, message)
            if vote is not None:
                self.coordinator.vote(self.identities[node].id, vote)

    def reveal(self):
        self._need("vote", self.coordinator.num_votes, self.coordinator.quorum)
        message = self.coordinator.votes(self.attempt.incarnation)
        for node in self._alive("reveal", self.survivors):
            shares = self._ask(node, self.participants[node].reveal, message)
            if shares is not None:
                self.coordinator.reveal(self.identities[node].id, shares)

    def open(self):
        self.unmasking = self.coordinator.unmasking()
        total = np.zeros(self.encoding.num_words, np.uint64)
        for words in self.masked.values():
            total += words
        self.slots = self.decoded(total, self.unmasking.plus, self.unmasking.minus)

    # ---- vectors --------------------------------------------------------------------------------

    def update(self, node):
        """What `node` trained: values, weight, and its number of examples."""
        rng = np.random.default_rng([self.seed, node, 1])
        values = rng.normal(0, 2, self.size).astype(np.float32)  # some beyond the range
        return values, float(rng.integers(1, 9)) / 8, int(rng.integers(1, 10**6))

    def vector(self, node):
        """Its update as words, without masks."""
        values, weight, examples = self.update(node)
        encoder = Encoder(
            self.encoding,
            values,
            {"weight": weight, "examples": examples},
            weight=weight,
            rounding_seed=self.identities[node].id,
        )
        return np.concatenate([encoder.chunk(i) for i in range(self.encoding.num_chunks)])

    def cover(self, words, masks):
        return self._shifted(words, masks.plus, masks.minus)

    def decoded(self, words, plus=(), minus=()):
        """The slots of a sum over the survivors; raises where a guard is wrong."""
        words, number = self._shifted(words, plus, minus), len(self.survivors)
        parts = [
            encoding.decode(self.encoding, words[place], index, number)
            for index, place in encoding.chunks(self.encoding)
        ]
        return [int(slot) for part in parts for slot in part]

    def _shifted(self, words, plus, minus):
        words = words.copy()
        for index, place in encoding.chunks(self.encoding):
            keystream.add(words[place], index, plus)
            keystream.subtract(words[place], index, minus)
        return words

    def naive(self, nodes=None):
        """The sum of the plain vectors of `nodes` (the survivors) by textbook loops."""
        width = 64 // self.encoding.lanes
        offset = 2 ** (self.encoding.value_bits - 1)
        sums = [0] * self.encoding.num_slots
        for node in self.survivors if nodes is None else nodes:
            words = [int(w) for w in self.vector(node)]
            payload = [w for _, place in encoding.chunks(self.encoding) for w in words[place][1:]]
            for i in range(self.encoding.num_slots):
                word, lane = divmod(i, self.encoding.lanes)
                value = payload[word] >> (lane * width) & (2**width - 1)
                sums[i] += value - offset * (i < self.size)
        return sums

    # ---- the wire -------------------------------------------------------------------------------

    def _alive(self, phase, nodes):
        self.gone |= self.lose.get(phase, set())
        return [node for node in nodes if node not in self.gone]

    def _members(self, phase, within=None):
        ids = self.ids if within is None else within
        return self._alive(phase, [n for n in range(self.num) if self.identities[n].id in ids])

    def _ask(self, node, method, message):
        hook = self.to_node.get(type(message))
        message = hook(node, message) if hook else message
        if message is None:
            return None
        self.said.append((node, message))
        try:
            return self._heard(node, method(message))
        except RefusedError as error:
            self.refused[node] = str(error)
            self.gone.add(node)
            return None

    def _heard(self, node, message):
        hook = self.from_node.get(type(message))
        message = hook(node, message) if hook else message
        if isinstance(message, Message):  # not Masks: they stay at the node
            self.said.append((node, message))
        return message

    def _need(self, phase, answered, needed):
        if answered < needed:
            raise AbortedError(f"{phase}: {answered} answered, {needed} needed")
