"""What makes a node's rounds masked ones: its machine, and the sentences its operator reads.

Everything here follows from the plan, from node.toml and from the journal; nothing is asked of the
coordinator, and the secrets of an attempt stay inside the machine.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fedtui.crypto.keys import parse_fingerprint
from fedtui.crypto.keystream import processor_has_aes
from fedtui.rounds import choices, lateness
from fedtui.rounds.masked_participant import MaskedParticipant
from fedtui.rounds.masked_work import Floors, MaskingSide
from fedtui.rounds.participant import RoundParticipant
from node.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedtui.crypto.keys import Identity, PublicIdentity
    from fedtui.rounds.participant import Policy
    from fedtui.telling.agreement import Agreement
    from fedtui.wire.messages import Role
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
    declares: Mapping[str, str] = field(default_factory=dict)


def machine_for(
    agreement: Agreement, parties: Parties, journal: Journal | None, stance: Stance
) -> RoundParticipant:
    """The machine that the plan asks for; without a journal no round is masked."""
    if journal is None:
        return RoundParticipant(
            role=stance.role,
            refuses=stance.refuses,
            paused=stance.paused,
            stalest=lateness.stalest(agreement.plan),
        )
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
        declared=choices.told(agreement.plan, stance.declares),
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
