"""MaskedWork: one node's part in one masked attempt, from Ready to Reveal.

RoundParticipant trains (or measures) and then hands the conversation over to this object, which
lives as long as the attempt does. Whatever the coordinator says that an honest one would not say
raises RefusedError: the participant then tells its operator why, tells the coordinator that it is
out, and the attempt is over for this node.

What it goes along with is written down before it is said: a Journal effect precedes the vote and
the shares that it reveals, and the driver performs it first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from fedtui.crypto.keys import FINGERPRINT_BYTES, PublicIdentity, fingerprint
from fedtui.errors import LocalProtocolError
from fedtui.learning.metrics import said
from fedtui.rounds import beside, hiding, lateness, masking, splitting, strategic
from fedtui.rounds.claims import Claim
from fedtui.rounds.machine import NodeId, Note, ParticipantEffect, Say, Trained
from fedtui.rounds.masking_steps import Journal, Prepare
from fedtui.rounds.plan import MASKED, Plan
from fedtui.secagg import graph, masks
from fedtui.secagg.context import Attempt, Purpose, identity_of
from fedtui.secagg.groups import Part
from fedtui.secagg.participant import Masks, Participant, RefusedError, Signer
from fedtui.secagg.terms import Terms
from fedtui.wire.masked_messages import (
    Mailbox,
    MaskedSums,
    Ready,
    Roster,
    Survivors,
    ToMasker,
    Votes,
)
from fedtui.wire.messages import Evaluate, Offer

NAMED = 12  # the most nodes that a sentence names


@dataclass(frozen=True, slots=True, kw_only=True)
class Floors:
    """What a node's operator demands of every masked round, whatever the plan says."""

    minimum: int = 3
    colluders: int = 1
    same_model: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskingSide:
    """What a node needs for masked rounds; `entropy(n)` gives n bytes of the system's generator.

    `aes`: its processor has it. `approved`, if there is any, are the first FINGERPRINT_BYTES of
    the ids of the only nodes that its operator lets into a sum with it. `voted` are the (purpose,
    round) pairs that it voted in before, `stuck` counts the votes for sums on each model, by
    digest, of which no result was ever certified. `declared` is what it tells the coordinator of
    itself, as the plan asks.
    """

    plan: Plan
    plan_hash: bytes
    num_values: int
    federation_id: bytes
    signer: Signer
    coordinator: PublicIdentity
    entropy: Callable[[int], bytes]
    aes: bool = False
    floors: Floors = Floors()
    approved: frozenset[bytes] = frozenset()
    voted: frozenset[tuple[str, int]] = frozenset()
    stuck: Mapping[bytes, int] = field(default_factory=dict)
    declared: Mapping[str, str] = field(default_factory=dict)

    def refuses(self, cohort_size: int, purpose: Purpose = "update") -> str | None:
        """Why this node takes no part in sums of such a cohort; None if it does."""
        numbers, floors = masking.numbers(self.plan, cohort_size, purpose), self.floors
        if numbers.minimum < floors.minimum:
            return (
                f"sums of {numbers.minimum} nodes; this node takes part in sums of at least "
                f"{floors.minimum}"
            )
        if numbers.colluders < floors.colluders:
            return (
                f"the plan counts on {numbers.colluders} colluders, this node on "
                f"{floors.colluders} or more"
            )
        if not numbers.roster <= cohort_size <= self.plan.privacy.largest_cohort:
            return f"a cohort of {cohort_size} nodes does not fit the plan"
        return None

    def refuses_peers(self, peers: Sequence[NodeId]) -> str | None:
        """Why this node is in no sum with these; None if it is."""
        if not self.approved:
            return None
        strangers = [n for n in peers if n[:FINGERPRINT_BYTES] not in self.approved]
        if not strangers:
            return None
        return (
            f"nodes that this node's operator did not approve are in the roster: "
            f"{names(strangers)}; [privacy] peers in node.toml lists those who may"
        )


def names(nodes: Sequence[NodeId]) -> str:
    """Fingerprints for people, NAMED of them at most."""
    more = f" and {len(nodes) - NAMED} more" if len(nodes) > NAMED else ""
    return ", ".join(map(fingerprint, nodes[:NAMED])) + more


class MaskedWork:
    """One attempt. `hear` takes what the coordinator says, and returns what follows."""

    def __init__(
        self, side: MaskingSide, work: Offer | Evaluate, *, base: int | None = None
    ) -> None:
        """Draw fresh secrets for this attempt; `base` is the round that trained the update."""
        purpose: Purpose = "update" if isinstance(work, Offer) else "evaluation"
        self.attempt = Attempt(
            federation_id=side.federation_id,
            coordinator_id=side.coordinator.id,
            purpose=purpose,
            round=work.round,
            attempt=work.attempt,
            incarnation=work.incarnation,
            model_digest=work.model.digest,
            plan_hash=side.plan_hash,
            keystream=side.plan.privacy.keystream,
        )
        numbers = masking.numbers(side.plan, work.cohort_size, purpose)
        self.layout = masking.encoding(side.plan, side.num_values, purpose)
        self.voted = False
        self.peers: tuple[NodeId, ...] = ()  # the others of its group, once the roster was checked
        self.lost: tuple[NodeId, ...] = ()  # who of them is not in the sum
        self.claim: Claim | None = None
        self.masks: Masks | None = None
        self._side = side
        self._plan = side.plan
        self._declared = side.declared
        self._invited = work.cohort_size
        self._base = work.round if base is None else base
        self._honest = hiding.honest_of(numbers.minimum, numbers.colluders)
        self._ids: tuple[NodeId, ...] = ()
        self._sums: dict[str, float] = {}
        self._half = Participant(
            self.attempt,
            Terms(
                colluders=numbers.colluders,
                minimum=numbers.minimum,
                largest=min(work.cohort_size, side.plan.privacy.largest_cohort),
                group=numbers.group,
                aes=side.aes,
                stalest=lateness.stalest(side.plan) if purpose == "update" else 0,
            ),
            signer=side.signer,
            coordinator=side.coordinator,
            entropy=side.entropy,
            base=self._base,
        )

    def ready(self) -> Ready:
        return self._half.advertise()

    def measured(self, sums: dict[str, float]) -> Ready:
        """Keep the sums of an evaluation until they can be masked."""
        self._sums = splitting.split(self._plan.task.metric, sums)
        return self._half.advertise()

    # ---- what the coordinator says --------------------------------------------------------------

    def hear(self, message: ToMasker) -> list[ParticipantEffect]:
        """Answer. Raises RefusedError.

        A Mailbox is answered by `prepare` for an update, whose vector is made elsewhere.
        """
        match message:
            case Roster():
                shares = self._half.share(message)
                self._meet(message)
                return [Say(shares)]
            case Mailbox():
                self.masks = self._half.masks(message)
                return []
            case Survivors():
                vote = self._half.vote(message)
                there = set(message.nodes)
                self.lost = tuple(n for at, n in enumerate(self._ids) if at not in there)
                self.voted = True
                return [self._journal("vote"), Say(vote)]
            case Votes():
                reveal = self._half.reveal(message)
                return [self._journal("reveal"), Say(reveal)]

    def _meet(self, roster: Roster) -> None:
        """Who is in a roster that was checked, and what it promises. Raises RefusedError."""
        everybody = tuple(identity_of(entry).id for entry in roster.entries)
        if why := self._side.refuses_peers(self._others(everybody)):
            raise RefusedError(why)
        body = self.group.body
        self._ids = tuple(identity_of(entry).id for entry in body.entries)
        self.peers = self._others(self._ids)
        num_ready = len(self._ids)
        self.claim = Claim(
            invited=self._invited,
            ready=num_ready,
            colluders=body.colluders,
            minimum=body.minimum,
            threshold=graph.threshold(num_ready, body.colluders, body.degree),
        )

    @property
    def group(self) -> Part:
        """Those of the roster at hand that this node adds up with: all, where it has no groups."""
        return self._half.part

    def _others(self, nodes: tuple[NodeId, ...]) -> tuple[NodeId, ...]:
        return tuple(node for node in nodes if node != self._side.signer.public.id)

    def prepare(self, trained: Trained) -> Prepare:
        """What turns the update into the vector that leaves, once the Mailbox was heard."""
        weight = masking.weight_of(self._plan, trained.header.num_examples, self._declared)
        sums = trained.header.sums  # none under [dp]
        scalars = {name: float(sums.get(name, 0.0)) for name in beside.TRAINING_SCALARS}
        scalars |= {n: weight * sums.get(n, 0.0) for n in strategic.scalars(self._plan)}
        scalars[beside.WEIGHT] = float(weight)
        attempt = self.attempt
        return Prepare(
            attempt.round,
            attempt.attempt,
            self.layout,
            self._masks,
            scalars,
            weight / self._plan.weight_cap * lateness.share(self._plan, self._base, attempt.round),
            masks.rounding_seed(trained.digest),
            hiding.at_node(self._plan, self._honest),
        )

    def sums(self) -> list[ParticipantEffect]:
        """The masked sums of an evaluation, once the Mailbox was heard."""
        layout = self.layout
        nothing = np.empty(0, np.float32)
        words, _ = masks.masked(layout, nothing, self._sums, weight=1.0, of=self._masks)
        data = words.astype("<u8").tobytes()
        attempt = self.attempt
        message = MaskedSums(
            incarnation=attempt.incarnation,
            round=attempt.round,
            attempt=attempt.attempt,
            words=data,
        )
        what = f"sums over own examples: {said(self._plan.task.metric)}"
        note = Note(attempt.round, attempt.attempt, what, MASKED, len(data), b"")
        return [note, Say(message)]

    @property
    def num_unopened(self) -> int:
        """Neighbours whose shares could not be opened: they, or the coordinator, spoilt them."""
        return len(self._half.unopened)

    @property
    def is_slower(self) -> bool:
        """Whether masks are made with chacha20, because some processors have no AES."""
        return self._half.keystream != self.attempt.keystream

    @property
    def num_survivors(self) -> int:
        return self._half.num_survivors

    @property
    def _masks(self) -> Masks:
        if self.masks is None:
            raise LocalProtocolError("nothing is masked before the mailbox was heard")
        return self.masks

    def _journal(self, step: Literal["vote", "reveal"]) -> Journal:
        half = self._half
        return Journal(step, self.attempt, half.sets, half.num_survivors, self.claim, self.lost)
