"""A node's half alone, its last word: what it reveals for which certificate, and what never."""

import msgspec
import pytest
from a_cohort import ATTEMPT, BOSS, Cohort, twin
from a_liar import certificate

from fedtui.crypto import shamir
from fedtui.errors import LocalProtocolError
from fedtui.secagg import context
from fedtui.secagg.participant import RefusedError
from fedtui.wire.masked_messages import Mailbox

FULL = tuple(range(5))
change = msgspec.structs.replace


def voted(cohort=None, **lose):
    """A cohort of five whose nodes voted, and everybody's vote by position."""
    cohort = (cohort or Cohort(5, lose=lose)).run(until="vote")
    named = cohort.participants[cohort.survivors[0]].sets[1]
    return cohort, [(p, sign(cohort, p, named)) for p in cohort.survivors]


def sign(cohort, position, named):
    return cohort.identities[position].sign(context.VOTE, named)


def of(shares):
    return [one.position for one in shares]


def test_all_alive_gives_the_share_of_every_self_mask_and_of_no_key():
    cohort, votes = voted()
    for p in FULL:
        reveal = cohort.participants[p].reveal(certificate(ATTEMPT, votes))
        assert (of(reveal.selves), of(reveal.masks)) == ([0, 1, 2, 3, 4], [])
        held = cohort.participants[p]._held
        assert [shamir.from_bytes(s.share) for s in reveal.selves] == [held[q][1] for q in FULL]


def test_of_a_lost_node_it_gives_the_key_and_not_the_self_mask():
    cohort, votes = voted(masked={3})
    for p in (0, 1, 2, 4):
        reveal = cohort.participants[p].reveal(certificate(ATTEMPT, votes))
        assert (of(reveal.selves), of(reveal.masks)) == ([0, 1, 2, 4], [3])
        assert shamir.from_bytes(reveal.masks[0].share) == cohort.participants[p]._held[3][0]


def test_of_a_node_that_is_not_in_U1_it_gives_nothing():
    cohort, votes = voted(shares={3})
    reveal = cohort.participants[0].reveal(certificate(ATTEMPT, votes))
    assert (of(reveal.selves), of(reveal.masks)) == ([0, 1, 2, 4], [])


def test_of_a_node_whose_share_did_not_come_it_gives_nothing():
    cohort = Cohort(5)
    cohort.to_node[Mailbox] = lambda node, box: change(
        box, sealed=tuple(s for s in box.sealed if (node, s.position) != (0, 2))
    )
    cohort, votes = voted(cohort)
    assert of(cohort.participants[0].reveal(certificate(ATTEMPT, votes)).selves) == [0, 1, 3, 4]
    assert of(cohort.participants[1].reveal(certificate(ATTEMPT, votes)).selves) == [*FULL]


def test_the_quorum_is_enough_and_one_less_is_not():
    cohort, votes = voted()
    for some in (votes[:3], votes[1:4], [votes[0], votes[2], votes[4]]):
        with pytest.raises(RefusedError, match="3 survivors voted for this sum, 4 must: nothing"):
            twin(cohort.participants[0]).reveal(certificate(ATTEMPT, some))
    assert cohort.participants[0].reveal(certificate(ATTEMPT, votes[:4]))
    assert cohort.participants[1].reveal(certificate(ATTEMPT, votes[1:]))


def test_any_certificate_for_its_set_gets_the_same_shares():
    """A restarted coordinator may have gathered the votes of others."""
    cohort, votes = voted(masked={3})
    first = cohort.participants[0].reveal(certificate(ATTEMPT, votes))
    for other in (votes, votes[::-1], [*votes, (3, bytes(64)), (9, bytes(64))]):
        assert cohort.participants[0].reveal(certificate(ATTEMPT, other)) == first


def test_votes_that_do_not_count():
    """Three good votes stay three, whatever stands beside them."""
    cohort, votes = voted(masked={4})
    node, good, named = cohort.participants[0], votes[:3], cohort.participants[0].sets[1]
    whole = context.survivors_digest(node.sets[0], FULL)
    elsewhere = context.survivors_digest(bytes(32), (0, 1, 2, 3))
    beside = {
        "the same vote again": [good[1], good[1]],
        "a vote by who is not in the sum": [(4, sign(cohort, 4, named))],
        "a vote by who is not in the roster": [(9, good[1][1])],
        "another's vote in its place": [(3, good[1][1])],
        "a vote for another sum": [(3, sign(cohort, 3, whole))],
        "a vote for another U1": [(3, sign(cohort, 3, elsewhere))],
        "a vote signed for another purpose": [
            (3, cohort.identities[3].sign(context.SURVIVORS, named))
        ],
        "a vote by the coordinator": [(3, BOSS.sign(context.VOTE, named))],
        "noise": [(3, b"s" * 64)],
    }
    for what, bad in beside.items():
        with pytest.raises(RefusedError, match="3 survivors voted for this sum, 4 must"):
            twin(node).reveal(certificate(ATTEMPT, [*good, *bad]))
        assert node.num_survivors == 4, what
    assert node.reveal(certificate(ATTEMPT, votes))


def test_a_certificate_out_of_turn_is_refused():
    cohort, votes = voted()
    fresh = cohort.participant(0)
    with pytest.raises(RefusedError, match="the coordinator skipped the roster"):
        fresh.reveal(certificate(ATTEMPT, votes))
    fresh = cohort.participant(0)
    fresh.share(cohort.roster)
    with pytest.raises(RefusedError, match="a certificate came before the vote"):
        fresh.reveal(certificate(ATTEMPT, votes))


def test_a_certificate_in_the_envelope_of_another_attempt_is_our_own_bug():
    cohort, votes = voted()
    with pytest.raises(LocalProtocolError, match="another attempt"):
        cohort.participants[0].reveal(change(certificate(ATTEMPT, votes), attempt=2))


def test_a_repeat_to_a_restarted_coordinator_names_its_new_incarnation():
    """Everything that names an older incarnation is dropped (secagg.md section 6)."""
    cohort, _ = voted()
    message = cohort.coordinator.survivors_message(ATTEMPT.incarnation + 1)
    vote = cohort.participants[0].vote(message)
    assert vote.signature == sign(cohort, 0, cohort.participants[0].sets[1])
    assert vote.incarnation == ATTEMPT.incarnation + 1
