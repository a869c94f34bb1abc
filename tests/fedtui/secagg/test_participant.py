"""A node's half alone, up to its Shares: answers, repeats, every refusal and its sentence.

What comes after the roster is in test_participant_masks.py, and what a lying coordinator can do
with several nodes at once in test_lying_coordinator.py.
"""

from dataclasses import replace
from itertools import combinations

import msgspec
import pytest
from a_cohort import ATTEMPT, Cohort, identities, twin
from a_liar import (
    entries,
    entry_of,
    honest_roster,
    signed_ready,
    signed_roster,
    vouch,
)

from fedtui.crypto import shamir
from fedtui.crypto.keys import Identity, PublicIdentity, short_id
from fedtui.errors import LocalProtocolError
from fedtui.secagg import context
from fedtui.secagg.participant import RefusedError

FULL = tuple(range(5))
LOW_ORDER = bytes(32)
change = msgspec.structs.replace


# ---- Ready --------------------------------------------------------------------------------------


def test_ready_is_signed_over_its_keys_and_context_and_repeats(cohort, node):
    ready = node.advertise()
    assert ready == node.advertise()
    assert (ready.round, ready.attempt, ready.incarnation) == (7, 1, 3)
    said = (ready.mask_key, ready.share_key, ready.commitment, 7, False)
    statement = context.ready_statement(ATTEMPT.context(), *said)
    assert cohort.identities[0].public.verify(context.READY, statement, ready.signature)
    assert context.mask_keys(node._drawn.mask).public == ready.mask_key
    assert context.commitment(node._drawn.own, ATTEMPT.context()) == ready.commitment


def test_two_attempts_share_no_secret_and_none_is_printed():
    one, other = Cohort(5, seed=1).participants[0], Cohort(5, seed=2).participants[0]
    assert one._drawn.mask != other._drawn.mask
    assert one._drawn.own != other._drawn.own
    assert one.advertise().share_key != other.advertise().share_key
    cohort = Cohort(3).run()
    reveal = next(m for _, m in cohort.said if type(m).__name__ == "Reveal")
    printed = f"{reveal} {cohort.masks[0]} {cohort.participants[0]!r} {cohort.unmasking}"
    assert "b'" not in printed
    assert str(cohort.masks[0]) == "Masks(3 plus, 0 minus)"


# ---- Roster -------------------------------------------------------------------------------------


def test_any_four_of_five_holders_have_both_secrets_and_three_have_neither():
    cohort = Cohort(5).run(until="mask")
    drawn = cohort.participants[0]._drawn
    held = {p + 1: cohort.participants[p]._held[0] for p in FULL}
    for kind, secret in ((0, drawn.mask), (1, drawn.own)):
        for size, enough in ((4, True), (3, False)):
            for xs in combinations(held, size):
                found = shamir.Recovery(xs).value({x: held[x][kind] for x in xs})
                assert (found == secret) == enough


def test_shares_are_sealed_once_for_each_other_node_and_never_look_alike(roster, node):
    shares = node.share(roster)
    assert [one.position for one in shares.sealed] == [1, 2, 3, 4]
    assert (shares.round, shares.attempt, shares.incarnation) == (7, 1, 3)
    assert len({one.sealed[:24] for one in shares.sealed}) == 4
    assert {len(one.sealed) for one in shares.sealed} == {104}


def test_the_two_secrets_are_shared_by_polynomials_of_their_own(cohort, roster, node):
    node.share(roster)
    mask_share, own_share = node._held[0]
    assert (mask_share - node._drawn.mask) % shamir.PRIME != (
        own_share - node._drawn.own
    ) % shamir.PRIME


def test_a_repeated_roster_gets_the_same_shares_and_another_is_refused(cohort, roster, node):
    first = node.share(roster)
    assert node.share(roster) is first
    assert node.share(change(roster, incarnation=9)).sealed == first.sealed
    other = signed_roster(roster, ATTEMPT, entries=roster.entries[:4], degree=3)
    with pytest.raises(RefusedError, match="sent a second, different roster"):
        node.share(other)


def test_a_message_of_another_round_or_attempt_is_our_own_bug(roster, node):
    for name in ("round", "attempt"):
        with pytest.raises(LocalProtocolError, match="another attempt"):
            node.share(change(roster, **{name: getattr(roster, name) + 1}))
    assert node.share(roster)


@pytest.mark.parametrize(
    ("terms", "sentence"),
    [
        ({"minimum": 6}, "the roster has 5 nodes; this node takes part with 6 to 5"),
        ({"largest": 4}, "the roster has 5 nodes; this node takes part with 3 to 4"),
        ({"colluders": 2}, "1 colluders and sums of 3 nodes; agreed were 2 and 3"),
        ({"minimum": 4}, "1 colluders and sums of 3 nodes; agreed were 1 and 4"),
    ],
)
def test_numbers_that_were_not_agreed_are_refused(cohort, roster, node, terms, sentence):
    node.terms = replace(node.terms, **terms)
    with pytest.raises(RefusedError, match=sentence):
        node.share(roster)


@pytest.mark.parametrize("degree", [0, 2, 3, 5])
def test_a_graph_that_keeps_nobody_safe_is_refused(roster, node, degree):
    with pytest.raises(RefusedError, match=f"{degree} neighbours a node are none that keep 5"):
        node.share(signed_roster(roster, ATTEMPT, degree=degree))


def test_a_threshold_that_nobody_could_reach_is_refused():
    cohort = Cohort(3, c=4, minimum=3)
    with pytest.raises(RefusedError, match="from 4 colluders"):
        cohort.participants[0].share(honest_roster(cohort))


def edited(listed, **edits):
    """The entries, the one at position 2 with other contents."""
    return (*listed[:2], change(listed[2], **edits), *listed[3:])


NAMED = short_id(identities(5)[2].id)
UNSIGNED = f"node {NAMED} did not sign for this model, plan and attempt"
OUTSIDER = f"node {NAMED} is in the roster, but not enrolled as a participant"
BAD_ENTRIES = {
    "swapped mask key": (lambda e, _: edited(e, mask_key=b"k" * 32), UNSIGNED),
    "swapped share key": (lambda e, _: edited(e, share_key=b"k" * 32), UNSIGNED),
    "swapped commitment": (lambda e, _: edited(e, commitment=b"k" * 32), UNSIGNED),
    "another's signature": (lambda e, _: edited(e, signature=e[3].signature), UNSIGNED),
    "not before": (lambda e, _: edited(e, not_before=1), OUTSIDER),
    "another's certificate": (lambda e, _: edited(e, certificate=e[3].certificate), OUTSIDER),
    "evaluator": (lambda e, i: edited(e, certificate=vouch(i, role="evaluator")), OUTSIDER),
    "observer": (lambda e, i: edited(e, certificate=vouch(i, role="observer")), OUTSIDER),
    "federation": (lambda e, i: edited(e, certificate=vouch(i, federation=b"g" * 32)), OUTSIDER),
    "enrolled elsewhere": (
        lambda e, i: edited(e, certificate=vouch(i, boss=Identity.from_seed(b"e" * 32))),
        OUTSIDER,
    ),
    "short key": (lambda e, _: edited(e, x25519=b"k" * 31), "the roster holds a broken key"),
    "out of order": (lambda e, _: (e[1], e[0], *e[2:]), "a node twice, or is not in order"),
    "twice": (lambda e, _: (*e[:3], e[2], e[4]), "a node twice, or is not in order"),
    "same mask key": (lambda e, _: edited(e, mask_key=e[3].mask_key), "have the same mask key"),
    "mask key for sharing": (lambda e, _: edited(e, share_key=e[3].mask_key), "two purposes"),
    "one key for both": (lambda e, _: edited(e, share_key=e[2].mask_key), "two purposes"),
    "same share key": (lambda e, _: edited(e, share_key=e[3].share_key), "same share key"),
}


@pytest.mark.parametrize("lie", BAD_ENTRIES)
def test_who_is_in_the_roster_is_checked(cohort, roster, node, lie):
    make, sentence = BAD_ENTRIES[lie]
    listed = tuple(make(entries(cohort), cohort.identities[2]))
    with pytest.raises(RefusedError, match=sentence):
        node.share(signed_roster(roster, ATTEMPT, entries=listed))


def test_after_a_refused_roster_the_attempt_is_over(cohort, roster, node):
    with pytest.raises(RefusedError, match="a node twice, or is not in order"):
        node.share(signed_roster(roster, ATTEMPT, entries=roster.entries[::-1]))
    with pytest.raises(RefusedError, match="a node twice, or is not in order"):
        node.share(roster)


@pytest.mark.parametrize("field", ["mask_key", "share_key"])
def test_a_key_of_low_order_is_refused_although_its_node_signed_it(cohort, roster, node, field):
    listed = entries(cohort)
    ready = signed_ready(
        cohort.identities[2], cohort.participants[2].advertise(), ATTEMPT, **{field: LOW_ORDER}
    )
    listed[2] = entry_of(cohort.identities[2], ready)
    with pytest.raises(RefusedError, match=f"node {NAMED} has a key that is not usable"):
        node.share(signed_roster(roster, ATTEMPT, entries=tuple(listed)))


@pytest.mark.parametrize("field", ["mask_key", "share_key"])
def test_a_key_copied_from_another_node_in_another_form_is_refused(cohort, roster, node, field):
    """With its highest bit set X25519 would take it, and know the same secret."""
    key = bytearray(getattr(cohort.participants[3].advertise(), field))
    key[31] |= 0x80
    listed = entries(cohort)
    ready = signed_ready(
        cohort.identities[2], cohort.participants[2].advertise(), ATTEMPT, **{field: bytes(key)}
    )
    listed[2] = entry_of(cohort.identities[2], ready)
    with pytest.raises(RefusedError, match=f"node {NAMED} has a key that is not usable"):
        node.share(signed_roster(roster, ATTEMPT, entries=tuple(listed)))


@pytest.mark.parametrize("field", ["x25519", "ed25519"])
def test_an_identity_key_twice_is_refused(cohort, roster, node, field):
    """Two ids of one signing key would be two votes of one person (secagg.md, checks at 3)."""
    one, other = cohort.identities[2], Identity.from_seed(b"o" * 32)
    agreeing, signing = (one, other) if field == "x25519" else (other, one)
    public = PublicIdentity(agreeing.x25519_public, signing.ed25519_public)
    double = Identity(agreeing.x25519, public, signing._ed25519_secret)
    second = Cohort(5, seed=9).participants[4]
    second._signer = double
    listed = [*entries(cohort)[:4], entry_of(double, second.advertise())]
    listed.sort(key=lambda entry: context.identity_of(entry).id)
    what = {"x25519": "agreement", "ed25519": "signing"}[field]
    with pytest.raises(RefusedError, match=f"have the same {what} key"):
        node.share(signed_roster(roster, ATTEMPT, entries=tuple(listed)))


def test_a_roster_without_this_node_or_with_other_keys_of_its_own_is_refused(cohort, roster):
    listed, sentence = entries(cohort), "does not hold this node as it said it was ready"
    without = signed_roster(roster, ATTEMPT, entries=tuple(listed[1:]), degree=3)
    with pytest.raises(RefusedError, match=sentence):
        twin(cohort.participants[0]).share(without)
    earlier = Cohort(5, seed=1).participants[0].advertise()  # signed by the node, with other keys
    listed[0] = entry_of(cohort.identities[0], earlier)
    with pytest.raises(RefusedError, match=sentence):
        twin(cohort.participants[0]).share(signed_roster(roster, ATTEMPT, entries=tuple(listed)))


@pytest.mark.parametrize(
    "changed",
    [
        {"federation_id": b"g" * 32},
        {"coordinator_id": b"d" * 32},
        {"purpose": "evaluation"},
        {"round": 8},
        {"attempt": 2},
        {"incarnation": 4},
        {"model_digest": b"n" * 32},
        {"plan_hash": b"q" * 32},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_node_that_was_offered_anything_else_is_refused(cohort, roster, node, changed):
    elsewhere = replace(ATTEMPT, **changed)
    listed = entries(cohort)
    ready = cohort.participant(2, elsewhere).advertise()
    listed[2] = entry_of(cohort.identities[2], ready)
    with pytest.raises(RefusedError, match=UNSIGNED):
        node.share(signed_roster(roster, ATTEMPT, entries=tuple(listed)))


@pytest.mark.parametrize(("base", "stalest"), [(8, 3), (6, 0), (3, 3)])
def test_an_update_from_out_of_time_is_refused(cohort, roster, base, stalest):
    listed, node = entries(cohort), twin(cohort.participants[0])
    node.terms = replace(node.terms, stalest=stalest)
    identity, said = cohort.identities[2], cohort.participants[2].advertise()
    listed[2] = entry_of(identity, signed_ready(identity, said, ATTEMPT, base=base))
    with pytest.raises(RefusedError, match=f"adds an update of round {base} to a sum of round 7"):
        node.share(signed_roster(roster, ATTEMPT, entries=tuple(listed)))
    listed[2] = entry_of(identity, signed_ready(identity, said, ATTEMPT, base=7 - stalest))
    node = twin(cohort.participants[0])
    node.terms = replace(node.terms, stalest=stalest)
    node.share(signed_roster(roster, ATTEMPT, entries=tuple(listed)))


@pytest.mark.parametrize(
    "changed",
    [{"entries": ()}, {"colluders": 2}, {"minimum": 4}, {"degree": 3}, {"signature": b"s" * 64}],
    ids=lambda changed: next(iter(changed)),
)
def test_a_roster_that_the_coordinator_did_not_sign_is_refused(roster, node, changed):
    with pytest.raises(RefusedError, match="not signed with the key that this node trusts"):
        node.share(change(roster, **changed))
