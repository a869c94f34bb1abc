"""What makes a node's rounds masked ones: its machine, and the sentences its operator reads.

Everything here follows from the plan, from node.toml and from the journal; nothing is asked of the
coordinator, and the secrets of an attempt stay inside the machine.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedtui.crypto.keys import parse_fingerprint
from fedtui.crypto.keystream import processor_has_aes
from fedtui.rounds import claims, masking
from fedtui.rounds.masked_participant import MaskedParticipant
from fedtui.rounds.masked_work import Floors, MaskingSide, names
from fedtui.rounds.participant import RoundParticipant
from node.journal import Journal

if TYPE_CHECKING:
    from fedtui.crypto.keys import Identity, PublicIdentity
    from fedtui.rounds import machine
    from fedtui.rounds.participant import Policy
    from fedtui.rounds.plan import Plan
    from fedtui.telling.agreement import Agreement
    from fedtui.wire.messages import Evaluate, Offer, Role
    from node.config import PrivacyTable
    from node.home import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """Between whom: this node, its coordinator by the keys it proved, and their federation."""

    federation_id: bytes
    signer: Identity
    coordinator: PublicIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class Stance:
    """How this node goes into rounds; `refuses` is its operator's policy."""

    role: Role
    privacy: PrivacyTable
    refuses: Policy
    paused: bool = False


def machine_for(
    agreement: Agreement, parties: Parties, journal: Journal | None, stance: Stance
) -> RoundParticipant:
    """The machine that the plan asks for; without a journal no round is masked."""
    if journal is None:
        return RoundParticipant(role=stance.role, refuses=stance.refuses, paused=stance.paused)
    side = MaskingSide(
        plan=agreement.plan,
        plan_hash=agreement.plan_hash,
        num_values=agreement.manifest.num_values,
        federation_id=parties.federation_id,
        signer=parties.signer,
        coordinator=parties.coordinator,
        entropy=os.urandom,
        aes=processor_has_aes(),
        floors=floors(stance.privacy),
        approved=frozenset(map(parse_fingerprint, stance.privacy.peers)),
        voted=journal.voted,
        stuck=journal.stuck,
    )
    return MaskedParticipant(side, role=stance.role, refuses=stance.refuses, paused=stance.paused)


def open_journal(home: Home, parties: Parties) -> Journal:
    """The profile's journal, as these parties see it; tells what is wrong with it."""
    journal = Journal(
        home.profile.journal,
        federation_id=parties.federation_id,
        coordinator_id=parties.coordinator.id,
        clock=home.clock,
    )
    if journal.torn_bytes or journal.num_damaged:
        home.board.log(
            "warning",
            f"the journal ended in a torn line ({journal.torn_bytes} bytes, cut off: what it said "
            f"was never sent) and has {journal.num_damaged} damaged lines: votes that they held "
            "are forgotten",
        )
    return journal


def floors(privacy: PrivacyTable) -> Floors:
    """What the operator demands of every masked round."""
    return Floors(
        minimum=privacy.minimum, colluders=privacy.colluders, same_model=privacy.same_model
    )


def in_cohort(plan: Plan, work: Offer | Evaluate | None) -> str:
    """For the ledger: among how many what leaves is hidden."""
    if work is None:
        return ""
    numbers = masking.numbers(plan, work.cohort_size)
    return f" (cohort of {work.cohort_size}, sums of {numbers.minimum} or more)"


def what_is_known(plan: Plan, vote: machine.Journal, cohort_size: int) -> str:
    """Who can learn what of this node's update from the sum that it voted for.

    That the coordinator sees the sum, and that colluders can take their own updates away from it,
    no masks can change.
    """
    size, claim = vote.num_survivors, vote.claim
    if claim is None:
        claim = claims.of_round(plan, invited=cohort_size, ready=cohort_size)
    lost = f", without {names(vote.lost)}" if vote.lost else ""
    return (
        f"round {vote.attempt.round}: your update is in a sum of {size} nodes, of {claim.ready} "
        f"that were ready{lost}; {claim.threshold} of them open it; {claims.sentence(claim)}, and "
        f"all the other {size - 1} together would know your update"
    )
