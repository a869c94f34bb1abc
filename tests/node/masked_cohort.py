"""A masked round around one real node: the coordinator's real half, and three simulated peers."""

import msgspec
import numpy as np
from a_plan import COORDINATOR, MANIFEST, NODE, PLAN, model_ref, vector_bytes
from fake_federation import FakeCoordinator, settle

from fedtui.crypto.keys import Identity
from fedtui.rounds import masking
from fedtui.rounds.plan import PrivacySection, WeightsSection
from fedtui.secagg import masks, opening
from fedtui.secagg.context import Attempt
from fedtui.secagg.coordinator import Coordinator
from fedtui.secagg.opening import Opened
from fedtui.secagg.participant import Participant
from fedtui.secagg.terms import Terms
from fedtui.wire.messages import Evaluate, MaskedSums, Ready, Reveal, Shares, Survivors, Vote

PLAN = msgspec.structs.replace(
    PLAN,
    privacy=PrivacySection(updates="masked", colluders=1, minimum=3),
    weights=WeightsSection(cap=4),
)
PEERS = [Identity.from_seed(bytes([seed]) * 32) for seed in (1, 2, 3)]
SIZE = len(PEERS) + 1


def masked_coordinator() -> FakeCoordinator:
    coordinator = FakeCoordinator()
    coordinator.plan = PLAN
    return coordinator


class MaskedCohort:
    """One attempt. Each step tells the node what the coordinator would, and takes its answer."""

    def __init__(
        self, coordinator: FakeCoordinator, number: int = 1, attempt: int = 1, *, kind="update"
    ) -> None:
        self.fake = coordinator
        measured = kind == "evaluation"
        self.attempt = Attempt(
            federation_id=b"f" * 32,
            coordinator_id=COORDINATOR.id,
            purpose=kind,
            round=number,
            attempt=attempt,
            incarnation=1,
            model_digest=model_ref().digest,
            plan_hash=coordinator.plan_hash,
        )
        numbers = masking.numbers(PLAN, SIZE)
        self.layout = masking.encoding(PLAN, MANIFEST.num_values, kind)
        self.half = Coordinator(
            self.attempt, COORDINATOR, colluders=numbers.colluders, minimum=numbers.minimum
        )
        terms = Terms(colluders=numbers.colluders, minimum=numbers.minimum, largest=SIZE)
        self.peers = {
            peer.id: Participant(
                self.attempt,
                terms,
                signer=peer,
                coordinator=COORDINATOR.public,
                entropy=np.random.default_rng(peer.id[0]).bytes,
            )
            for peer in PEERS
        }
        self.measured = measured
        self.updates: dict[bytes, np.ndarray] = {}
        self.vectors: dict[bytes, np.ndarray] = {}

    def last(self, kind: type) -> object:
        """The newest message of this kind that the node said; fails if there is none."""
        said = [one for one in self.fake.said if isinstance(one, kind)]
        assert said, f"no {kind.__name__} was said"
        return said[-1]

    async def until(self, step: str) -> "MaskedCohort":
        for name in ("offer", "introduce", "include", "choose", "certify"):
            await getattr(self, name)()
            if name == step:
                break
        return self

    async def offer(self) -> None:
        number, attempt = self.attempt.round, self.attempt.attempt
        if self.measured:
            self.fake.tell(
                Evaluate(
                    incarnation=1,
                    round=number,
                    attempt=attempt,
                    cohort_size=SIZE,
                    plan_hash=self.fake.plan_hash,
                    manifest_digest=MANIFEST.digest(),
                    model=model_ref(number=number),
                    deadline_s=60.0,
                )
            )
        else:
            self.fake.offer(number, attempt, cohort_size=SIZE)
        await settle()

    async def introduce(self) -> None:
        ready = self.last(Ready)
        assert self.half.ready(NODE.public, 1, ready)
        for peer in PEERS:
            assert self.half.ready(peer.public, 1, self.peers[peer.id].advertise())
        self.roster = self.half.introduce(1)
        self.fake.tell(self.roster)
        await settle()

    async def include(self) -> None:
        assert self.half.shares(NODE.id, self.last(Shares))
        for node, peer in self.peers.items():
            assert self.half.shares(node, peer.share(self.roster))
        self.half.include()
        self.mailbox = self.half.mailbox(NODE.id, 1)
        self.fake.tell(self.mailbox)
        await settle()
        for seed, (node, peer) in enumerate(self.peers.items(), 2):
            self.updates[node] = update_D = np.frombuffer(vector_bytes(seed), "<f4")
            scalars = dict.fromkeys(self.layout.scalars, 2.0)
            if masking.WEIGHT in scalars:
                scalars[masking.WEIGHT] = 4.0
            self.vectors[node], _ = masks.masked(
                self.layout,
                update_D[: self.layout.num_values],
                scalars,
                weight=1.0,
                of=peer.masks(self.half.mailbox(node, 1)),
            )
        data = self.last(MaskedSums).words if self.measured else self.fake.uploads[-1]
        self.vectors[NODE.id] = np.frombuffer(data, "<u8")

    async def choose(self, *, without: frozenset[bytes] = frozenset()) -> None:
        self.half.choose(node for node in self.vectors if node not in without)
        self.fake.tell(self.half.survivors_message(1))
        await settle()

    async def certify(self) -> None:
        assert self.half.vote(NODE.id, self.last(Vote))
        survivors = self.half.ids(self.half.survivors)
        voters = {node: peer for node, peer in self.peers.items() if node in survivors}
        for node, peer in voters.items():
            assert self.half.vote(node, peer.vote(self.half.survivors_message(1)))
        self.fake.tell(self.half.votes(1))
        await settle()
        for node, peer in voters.items():
            assert self.half.reveal(node, peer.reveal(self.half.votes(1)))

    def open(self) -> Opened:
        """The sum, opened with the node's shares among others."""
        assert self.half.reveal(NODE.id, self.last(Reveal))
        total = np.zeros(self.layout.num_words, np.uint64)
        for node in self.half.ids(self.half.survivors):
            total += self.vectors[node]
        return opening.whole(self.layout, total, self.half.unmasking())

    def another_survivor_set(self, *, without: bytes) -> Survivors:
        """A second one, signed all the same, as only a lying coordinator would."""
        other = Coordinator(self.attempt, COORDINATOR, colluders=1, minimum=3)
        other.thaw(msgspec.structs.replace(self.half.frozen(), survivors=()))
        other.choose(node for node in self.vectors if node != without)
        return other.survivors_message(1)
