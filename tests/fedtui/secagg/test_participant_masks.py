"""A node's half alone, from its Mailbox on: answers, repeats, every refusal and its sentence."""

import msgspec
import pytest
from a_cohort import ATTEMPT, BOSS, Cohort, twin
from a_liar import certificate, context2_of, honest_roster, signed_mailbox, signed_survivors

from fedtui.crypto import shamir
from fedtui.secagg import context
from fedtui.secagg.participant import RefusedError

FULL = tuple(range(5))
change = msgspec.structs.replace


def letter(cohort, roster, included=FULL, *, receiver=0, senders=None):
    """The mailbox of `receiver`, with the shares that `senders` (all of U1) sealed for it."""
    senders = set(included if senders is None else senders) - {receiver}
    shares = {p: cohort.participants[p].share(roster) for p in {*senders, receiver}}
    sealed = [
        (sender, one.sealed)
        for sender in sorted(senders)
        for one in shares[sender].sealed
        if one.position == receiver
    ]
    return signed_mailbox(roster, cohort.attempt, included, sealed)


def context3_of(roster, included=FULL):
    return context.included_context(context2_of(roster, ATTEMPT), included)


def ballot(roster, survivors=FULL, included=FULL):
    return signed_survivors(context3_of(roster, included), ATTEMPT, survivors)


def voted(cohort, roster, survivors=FULL, included=FULL):
    """Node 0 after its vote, and the vote of everybody in the set, by position."""
    node = cohort.participants[0]
    node.masks(letter(cohort, roster, included))
    named = node.vote(ballot(roster, survivors, included)).survivors
    return node, [(p, cohort.identities[p].sign(context.VOTE, named)) for p in survivors]


# ---- Mailbox ------------------------------------------------------------------------------------


def test_masks_are_one_of_its_own_and_one_with_every_other_node_of_U1(cohort, roster):
    all_masks = [cohort.participants[p].masks(letter(cohort, roster, receiver=p)) for p in FULL]
    seeds = {}
    for p, masks in enumerate(all_masks):
        assert (len(masks.plus), len(masks.minus)) == (5 - p, p)
        assert masks.plus[0] == context.self_seed(
            cohort.participants[p]._drawn.own, context3_of(roster)
        )
        for seed in masks.plus[1:]:
            seeds[seed] = seeds.get(seed, 0) + 1
        for seed in masks.minus:
            seeds[seed] = seeds.get(seed, 0) - 1
    assert len(seeds) == 10  # of every pair one, and what one adds the other takes away
    assert set(seeds.values()) == {0}


def test_another_U1_gives_masks_that_have_no_seed_in_common(cohort, roster, node):
    full = node.masks(letter(cohort, roster))
    again = cohort.participant(0)
    again.share(roster)
    fewer = again.masks(letter(cohort, roster, (0, 1, 2, 3)))
    assert len(fewer.plus) == 4
    assert not set(full.plus + full.minus) & set(fewer.plus + fewer.minus)


def test_a_repeated_mailbox_gets_the_same_masks_and_another_is_refused(cohort, roster, node):
    first = node.masks(letter(cohort, roster))
    assert node.masks(letter(cohort, roster)) is first
    assert node.masks(change(letter(cohort, roster), incarnation=9)) == first
    for other in (letter(cohort, roster, (0, 1, 2, 3)), letter(cohort, roster, senders=(1, 2, 3))):
        with pytest.raises(RefusedError, match="sent a second, different mailbox"):
            twin(node).masks(other)


def test_a_mailbox_before_the_roster_is_refused(cohort, roster):
    with pytest.raises(RefusedError, match="the coordinator skipped the roster"):
        cohort.participant(0).masks(letter(cohort, roster))


@pytest.mark.parametrize(
    ("included", "sentence"),
    [
        ((1, 2, 3, 4), "lists this node's shares as missing, and masks on"),
        ((0, 1, 2), "only 3 nodes are left, 4 are needed"),
        ((0,), "only 1 nodes are left, 4 are needed"),
        ((0, 1, 2, 3, 5), "named nodes that are not in the roster"),
        ((0, 1, 2, 3, 3), "named nodes that are not in the roster"),
        ((1, 0, 2, 3, 4), "named nodes that are not in the roster"),
        ((), "lists this node's shares as missing"),
    ],
)
def test_a_U1_that_no_honest_coordinator_names_is_refused(
    cohort, roster, node, included, sentence
):
    node.share(roster)
    with pytest.raises(RefusedError, match=sentence):
        node.masks(signed_mailbox(roster, ATTEMPT, included))


def test_a_U1_below_the_agreed_minimum_is_refused_although_enough_hold_shares():
    cohort = Cohort(5, minimum=5)
    roster = honest_roster(cohort)
    with pytest.raises(RefusedError, match="only 4 nodes are left, 5 are needed"):
        cohort.participants[0].masks(letter(cohort, roster, (0, 1, 2, 3)))
    assert cohort.participants[1].masks(letter(cohort, roster, receiver=1))


def test_with_too_few_shares_that_open_it_masks_nothing(cohort, roster, node):
    with pytest.raises(RefusedError, match=r"only 3 holders of .* 4 are needed"):
        node.masks(letter(cohort, roster, senders=(1, 2)))
    assert node.unopened == (3, 4)
    again = cohort.participant(0)
    again.share(roster)
    assert again.masks(letter(cohort, roster, senders=(1, 2, 4)))
    assert again.unopened == (3,)


def spoilt(message, position, change_bytes):
    sealed = tuple(
        change(one, sealed=change_bytes(one.sealed)) if one.position == position else one
        for one in message.sealed
    )
    return change(message, sealed=sealed)


@pytest.mark.parametrize("where", [0, 23, 24, 87, 103])
def test_an_altered_share_counts_as_missing_and_its_sender_stays_in(cohort, roster, node, where):
    def flip(sealed):
        return sealed[:where] + bytes([sealed[where] ^ 1]) + sealed[where + 1 :]

    masks = node.masks(spoilt(letter(cohort, roster), 2, flip))
    assert node.unopened == (2,)
    assert (len(masks.plus), len(masks.minus)) == (5, 0)


@pytest.mark.parametrize("half", [0, 32])
def test_a_share_that_is_no_element_of_the_field_counts_as_missing(cohort, roster, node, half):
    sender = cohort.participants[2]
    letter(cohort, roster)
    both = bytearray(64)
    both[half : half + 32] = shamir.PRIME.to_bytes(32, "little")
    sealed = sender._seal(sender._roster, 0, bytes(both))
    node.masks(spoilt(letter(cohort, roster), 2, lambda _: sealed))
    assert node.unopened == (2,)


def test_shares_for_or_from_somebody_else_are_refused(cohort, roster, node):
    good, sentence = letter(cohort, roster, (0, 1, 2, 3)), "shares that are not for this node"
    stray = change(good.sealed[0], position=4)  # in the roster, but not in U1
    own = change(good.sealed[0], position=0)
    for sealed in ((*good.sealed, stray), (own, *good.sealed), (*good.sealed, good.sealed[0])):
        with pytest.raises(RefusedError, match=sentence):
            twin(node).masks(change(good, sealed=sealed))


def test_a_mailbox_that_the_coordinator_did_not_sign_is_refused(cohort, roster, node):
    good = letter(cohort, roster)
    for signature in (bytes(64), BOSS.sign(context.SURVIVORS, context3_of(roster))):
        with pytest.raises(RefusedError, match="not signed with the key that this node trusts"):
            twin(node).masks(change(good, signature=signature))
    with pytest.raises(RefusedError, match="not signed"):
        node.masks(change(good, included=(0, 1, 2, 3), sealed=good.sealed[:3]))


def test_after_a_refused_mailbox_the_attempt_is_over(cohort, roster, node):
    """Shares of two mailboxes would otherwise add up to the holders that one must have."""
    for senders in ((1, 4), (1, 2, 3, 4)):
        with pytest.raises(RefusedError, match="only 3 holders of this node's shares"):
            node.masks(letter(cohort, roster, senders=senders))
    with pytest.raises(RefusedError):
        node.vote(ballot(roster))


# ---- Survivors, Vote ----------------------------------------------------------------------------


def test_a_vote_is_signed_for_one_set_and_repeats(cohort, roster):
    node, _ = voted(cohort, roster, (0, 1, 2, 3))
    vote = node.vote(ballot(roster, (0, 1, 2, 3)))
    named = context.survivors_digest(context3_of(roster), (0, 1, 2, 3))
    assert vote is node.vote(ballot(roster, (0, 1, 2, 3)))
    assert vote.survivors == named
    assert cohort.identities[0].public.verify(context.VOTE, named, vote.signature)
    assert node.sets == (context3_of(roster), named)
    assert node.num_survivors == 4


def test_a_second_survivor_set_is_refused_for_ever(cohort, roster):
    node, signatures = voted(cohort, roster)
    for survivors in ((0, 1, 2, 3), (0, 2, 3, 4)):
        asked = twin(node)
        with pytest.raises(RefusedError, match="sent a second, different survivors"):
            asked.vote(ballot(roster, survivors))
        with pytest.raises(RefusedError):
            asked.vote(ballot(roster, survivors))
        assert asked.num_survivors == 5
        named = context.survivors_digest(context3_of(roster), survivors)
        votes = [(p, cohort.identities[p].sign(context.VOTE, named)) for p in survivors]
        with pytest.raises(RefusedError):
            asked.reveal(certificate(ATTEMPT, votes))
    assert len(node.reveal(certificate(ATTEMPT, signatures)).selves) == 5


@pytest.mark.parametrize(
    ("survivors", "sentence"),
    [
        ((0, 1, 2, 3, 4), "not among those who masked together"),
        ((1, 2, 3), "not among those who masked together"),
        ((0, 1, 2), "a sum of 3 nodes; 4 are needed"),
        ((0,), "a sum of 1 nodes; 4 are needed"),
        ((), "not among those who masked together"),
        ((0, 1, 2, 9), "named nodes that are not in the roster"),
        ((0, 1, 3, 2), "named nodes that are not in the roster"),
        ((0, 1, 2, 2), "named nodes that are not in the roster"),
    ],
)
def test_survivors_that_no_honest_coordinator_names_are_refused(
    cohort, roster, node, survivors, sentence
):
    included = (0, 1, 2, 3)
    node.masks(letter(cohort, roster, included))
    with pytest.raises(RefusedError, match=sentence):
        node.vote(ballot(roster, survivors, included))
    assert node.num_survivors == 0


def test_a_sum_below_the_agreed_minimum_gets_no_vote():
    cohort = Cohort(5, minimum=5)
    roster = honest_roster(cohort)
    cohort.participants[0].masks(letter(cohort, roster))
    with pytest.raises(RefusedError, match="a sum of 4 nodes; 5 are needed"):
        cohort.participants[0].vote(ballot(roster, (0, 1, 2, 3)))


def test_survivors_out_of_turn_or_unsigned_or_of_another_U1_are_refused(cohort, roster, node):
    with pytest.raises(RefusedError, match="skipped the roster"):
        cohort.participant(0).vote(ballot(roster))
    node.share(roster)
    with pytest.raises(RefusedError, match="survivors were named before anybody was masked"):
        twin(node).vote(ballot(roster))
    node.masks(letter(cohort, roster))
    for message in (
        change(ballot(roster), signature=bytes(64)),
        change(ballot(roster), nodes=(0, 1, 2, 3)),
        ballot(roster, included=(0, 1, 2, 3)),
    ):
        with pytest.raises(RefusedError, match="not signed with the key that this node trusts"):
            twin(node).vote(message)
    assert node.vote(ballot(roster))
