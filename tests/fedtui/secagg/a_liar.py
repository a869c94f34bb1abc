"""A coordinator that says whatever it likes, properly signed, and the forging of every part.

    thief = Attack(cohort, included={0: (...)}, survivors={0: (...)}, colluders={4}).run()

shows every honest node a U1 and then a U2 of its own, gathers every vote (colluders vote for
anything), certifies whatever it can and collects what is revealed. The thief (a_thief.py) then
holds all that it learned. Nodes that refuse are in `refused`, with their sentences.
"""

import msgspec
from a_cohort import BOSS, Cohort
from a_thief import Thief

from fedtui.secagg import context
from fedtui.secagg.context import RosterBody
from fedtui.secagg.participant import RefusedError
from fedtui.wire import enrolment
from fedtui.wire.masked_messages import (
    CountedVote,
    Mailbox,
    Roster,
    RosterEntry,
    SealedShares,
    Survivors,
    Votes,
)


def vouch(identity, *, role="participant", federation=b"f" * 32, not_before=0, boss=BOSS):
    """An enrolment certificate."""
    certificate = enrolment.Certificate(federation, identity.public, role, not_before)
    return enrolment.enrol(boss, certificate).signature


def entry_of(identity, ready, *, not_before=0, certificate=None):
    """The line of a roster for a node and what it said Ready with."""
    return RosterEntry(
        x25519=identity.x25519_public,
        ed25519=identity.ed25519_public,
        not_before=not_before,
        certificate=certificate or vouch(identity, not_before=not_before),
        mask_key=ready.mask_key,
        share_key=ready.share_key,
        commitment=ready.commitment,
        base=ready.base,
        aes=ready.aes,
        signature=ready.signature,
    )


def signed_ready(identity, ready, at, **changes):
    """A Ready with other contents that its author signs all the same."""
    ready = msgspec.structs.replace(ready, **changes)
    said = (ready.mask_key, ready.share_key, ready.commitment, ready.base, ready.aes)
    statement = context.ready_statement(at.context(), *said)
    return msgspec.structs.replace(ready, signature=identity.sign(context.READY, statement))


def context2_of(roster, at):
    body = {name: getattr(roster, name) for name in RosterBody.__struct_fields__}
    return context.roster_context(at.context(), RosterBody(**body))


def signed_roster(roster, at, **changes) -> Roster:
    """A roster with other contents, signed by the coordinator."""
    roster = msgspec.structs.replace(roster, **changes)
    signature = BOSS.sign(context.ROSTER, context2_of(roster, at))
    return msgspec.structs.replace(roster, signature=signature)


def signed_mailbox(roster, at, included, sealed=()) -> Mailbox:
    """A mailbox for any U1; `sealed` are pairs of sender and sealed shares."""
    named = context.included_context(context2_of(roster, at), included)
    return Mailbox(
        incarnation=at.incarnation,
        round=at.round,
        attempt=at.attempt,
        included=tuple(included),
        sealed=tuple(SealedShares(position=p, sealed=s) for p, s in sealed),
        signature=BOSS.sign(context.MAILBOX, named),
    )


def signed_survivors(context3, at, nodes) -> Survivors:
    named = context.survivors_digest(context3, nodes)
    return Survivors(
        incarnation=at.incarnation,
        round=at.round,
        attempt=at.attempt,
        nodes=tuple(nodes),
        signature=BOSS.sign(context.SURVIVORS, named),
    )


def certificate(at, votes) -> Votes:
    """A certificate of (position, signature) pairs."""
    return Votes(
        incarnation=at.incarnation,
        round=at.round,
        attempt=at.attempt,
        votes=tuple(CountedVote(position=p, signature=s) for p, s in votes),
    )


def entries(cohort):
    """The honest roster entries of everybody, by position."""
    return [
        entry_of(identity, participant.advertise())
        for identity, participant in zip(cohort.identities, cohort.participants, strict=True)
    ]


def honest_roster(cohort: Cohort) -> Roster:
    """What the honest coordinator says when everybody was ready."""
    return cohort.run(until="introduce").roster


class Attack:
    def __init__(self, cohort, *, included, survivors, rosters=None, colluders=()) -> None:
        roster = None if rosters else honest_roster(cohort)
        self.cohort, self.at = cohort, cohort.attempt
        self.rosters = rosters or dict.fromkeys(range(cohort.num), roster)
        self.included, self.survivors = included, survivors
        self.colluders = frozenset(colluders)
        self.refused = {}
        self.thief = Thief(cohort)

    def run(self) -> Thief:
        """Let every node speak as far as it goes along."""
        sealed = self._sealed()
        for node in self.included:
            self._mask(node, sealed)
        votes = self._votes()
        for node in sorted(votes.keys() - self.colluders):
            named = votes[node].survivors
            for_it = [(p, votes[p].signature) for p in votes if votes[p].survivors == named] + [
                (p, self._vote_of(p, named)) for p in sorted(self.colluders)
            ]
            answer = self._ask(
                node, self.cohort.participants[node].reveal, certificate(self.at, sorted(for_it))
            )
            if answer is not None:
                self.thief.hear(node, answer)
        for node in self.colluders:
            self.thief.know_all_of(node)
        return self.thief

    def _sealed(self):
        """What everybody sealed, by sender and receiver."""
        sealed = {}
        for node, roster in self.rosters.items():
            answer = self._ask(node, self.cohort.participants[node].share, roster)
            for one in answer.sealed if answer else ():
                sealed[node, one.position] = one.sealed
        return sealed

    def _mask(self, node, sealed):
        included, roster = self.included[node], self.rosters[node]
        letters = [(p, sealed[p, node]) for p in included if (p, node) in sealed]
        participant = self.cohort.participants[node]
        masks = self._ask(
            node, participant.masks, signed_mailbox(roster, self.at, included, letters)
        )
        if masks is not None:
            words = self.cohort.cover(self.cohort.vector(node), masks)
            context3 = context.included_context(context2_of(roster, self.at), included)
            self.thief.take(node, words, included, context3)

    def _votes(self):
        votes = {}
        for node, nodes in self.survivors.items():
            if node not in self.thief.vectors:
                continue
            context3 = self.thief.contexts[node]
            message = signed_survivors(context3, self.at, nodes)
            vote = self._ask(node, self.cohort.participants[node].vote, message)
            if vote is not None:
                votes[node] = vote
        return votes

    def _vote_of(self, node, named):
        return self.cohort.identities[node].sign(context.VOTE, named)

    def _ask(self, node, method, message):
        try:
            return method(message)
        except RefusedError as error:
            self.refused.setdefault(node, str(error))
            return None
