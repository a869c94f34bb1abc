"""The coordinator's half alone, up to the certificate: what it takes, and what it drops.

How it opens a sum is in test_coordinator_reveal.py; whole conversations are in test_exact_sums.py.
"""

import msgspec
import pytest
from a_cohort import ATTEMPT, BOSS, Cohort
from a_liar import signed_ready

from fedtui.crypto.keys import Identity, PublicIdentity
from fedtui.errors import LocalProtocolError
from fedtui.secagg import context

FULL = tuple(range(5))
change = msgspec.structs.replace


def ids(cohort, *nodes):
    return [cohort.identities[node].id for node in nodes]


# ---- Ready, Roster ------------------------------------------------------------------------------


def test_the_roster_is_who_was_ready_by_rising_id_whatever_the_order():
    cohort = Cohort(5)
    for node in (3, 0, 4, 1):
        ready = cohort.participants[node].advertise()
        assert cohort.coordinator.ready(cohort.identities[node].public, 0, ready)
    roster = cohort.coordinator.introduce(3)
    assert [context.identity_of(e).id for e in roster.entries] == ids(cohort, 0, 1, 3, 4)
    assert (roster.colluders, roster.minimum, roster.degree) == (1, 3, 3)
    assert cohort.coordinator.num_ready == 4
    assert cohort.coordinator.least == 3
    assert cohort.coordinator.roster(3) == roster
    late = cohort.participants[2].advertise()
    assert not cohort.coordinator.ready(cohort.identities[2].public, 0, late)
    with pytest.raises(LocalProtocolError, match="a roster is made once"):
        cohort.coordinator.introduce(3)
    assert cohort.coordinator.roster(3) == roster


def test_the_roster_can_be_of_fewer_than_were_ready():
    cohort = Cohort(6).run(until="ready")
    stranger = Identity.from_seed(b"x" * 32).id
    roster = cohort.coordinator.introduce(3, [*ids(cohort, 5, 0, 2, 3), stranger])
    assert [context.identity_of(e).id for e in roster.entries] == ids(cohort, 0, 2, 3, 5)
    assert (roster.degree, cohort.coordinator.least) == (3, 3)


def test_the_least_of_a_sum_is_the_larger_of_minimum_and_quorum():
    assert Cohort(5, minimum=3).run(until="introduce").coordinator.least == 4
    assert Cohort(5, minimum=5).run(until="introduce").coordinator.least == 5


def test_there_is_no_roster_before_it_was_made():
    with pytest.raises(LocalProtocolError, match="there is no roster yet"):
        Cohort(5).coordinator.roster(3)
    assert not Cohort(5).coordinator.shares(b"?" * 32, None)


@pytest.mark.parametrize(
    ("changes", "resign"),
    [
        ({"mask_key": b"k" * 32}, False),
        ({"share_key": b"k" * 32}, False),
        ({"commitment": b"k" * 32}, False),
        ({"signature": b"s" * 64}, False),
        ({"mask_key": bytes(32)}, True),
        ({"share_key": bytes(32)}, True),
        ({"mask_key": b"\x01" + bytes(31)}, True),
    ],
)
def test_keys_that_no_other_node_would_take_are_dropped_and_cost_nobody_else(changes, resign):
    cohort = Cohort(4)
    identity, ready = cohort.identities[0], cohort.participants[0].advertise()
    bad = change(ready, **changes)
    if resign:
        bad = signed_ready(identity, ready, ATTEMPT, **changes)
    assert not cohort.coordinator.ready(identity.public, 0, bad)
    assert cohort.run().survivors == (0, 1, 2, 3)


@pytest.mark.parametrize("mine", ["mask_key", "share_key"])
@pytest.mark.parametrize("theirs", ["mask_key", "share_key"])
def test_a_copied_key_is_dropped_and_a_second_ready_too(mine, theirs):
    cohort = Cohort(4)
    coordinator, ready = cohort.coordinator, cohort.participants[0].advertise()
    assert coordinator.ready(cohort.identities[0].public, 0, ready)
    assert not coordinator.ready(cohort.identities[0].public, 0, ready)
    copied = signed_ready(
        cohort.identities[1],
        cohort.participants[1].advertise(),
        ATTEMPT,
        **{mine: getattr(ready, theirs)},
    )
    assert not coordinator.ready(cohort.identities[1].public, 0, copied)
    assert coordinator.num_ready == 1


def test_one_key_for_two_purposes_is_dropped():
    cohort = Cohort(4)
    ready = cohort.participants[0].advertise()
    both = signed_ready(cohort.identities[0], ready, ATTEMPT, share_key=ready.mask_key)
    assert not cohort.coordinator.ready(cohort.identities[0].public, 0, both)


@pytest.mark.parametrize("field", ["x25519", "ed25519"])
def test_a_second_node_with_an_identity_key_of_the_first_is_dropped(field):
    """It would let every node refuse the roster."""
    cohort = Cohort(5)
    one, other = cohort.identities[0], Identity.from_seed(b"o" * 32)
    agreeing, signing = (one, other) if field == "x25519" else (other, one)
    public = PublicIdentity(agreeing.x25519_public, signing.ed25519_public)
    double = Cohort(5, seed=9).participants[4]
    double._signer = Identity(agreeing.x25519, public, signing._ed25519_secret)
    cohort.ready()
    assert not cohort.coordinator.ready(public, 0, double.advertise())


# ---- Shares, Mailbox ----------------------------------------------------------------------------


def test_shares_count_whole_once_in_time_and_from_members_only():
    cohort = Cohort(5).run(until="introduce")
    coordinator, (name,) = cohort.coordinator, ids(cohort, 0)
    shares = cohort.participants[0].share(cohort.roster)
    sealed = shares.sealed
    for wrong in (sealed[:3], sealed[::-1], (*sealed[:3], sealed[2]), (*sealed, sealed[3]), ()):
        assert not coordinator.shares(name, change(shares, sealed=wrong))
    assert not coordinator.shares(Identity.from_seed(b"x" * 32).id, shares)
    assert coordinator.num_shared == 0
    assert coordinator.shares(name, shares)
    assert not coordinator.shares(name, shares)
    assert coordinator.num_shared == 1
    assert coordinator.include() == (0,)
    late = cohort.participants[1].share(cohort.roster)
    assert not coordinator.shares(ids(cohort, 1)[0], late)
    with pytest.raises(LocalProtocolError, match="U1 is fixed once"):
        coordinator.include()


def test_a_mailbox_holds_what_the_others_of_U1_sealed_for_this_node():
    cohort = Cohort(5, lose={"shares": {3}}).run(until="mask")
    for node in (0, 1, 2, 4):
        box = cohort.coordinator.mailbox(*ids(cohort, node), 3)
        assert box.included == (0, 1, 2, 4)
        others = [p for p in box.included if p != node]
        assert [one.position for one in box.sealed] == others
        for one in box.sealed:
            said = cohort.participants[one.position].share(cohort.roster)
            assert one.sealed == next(s.sealed for s in said.sealed if s.position == node)


def test_U1_can_be_of_fewer_than_shared_and_mailboxes_hold_no_others():
    cohort = Cohort(6).run(until="share")
    assert cohort.coordinator.include(ids(cohort, 0, 1, 2, 4, 5)) == (0, 1, 2, 4, 5)
    box = cohort.coordinator.mailbox(*ids(cohort, 1), 3)
    assert [one.position for one in box.sealed] == [0, 2, 4, 5]
    assert len(cohort.participants[1].masks(box).plus) == 4


# ---- Survivors, votes ---------------------------------------------------------------------------


def test_survivors_are_of_U1_and_chosen_once():
    cohort = Cohort(5, lose={"shares": {3}}).run(until="mask")
    coordinator = cohort.coordinator
    with pytest.raises(LocalProtocolError, match="a survivor was not in U1"):
        coordinator.choose(ids(cohort, 0, 1, 2, 3))
    assert coordinator.choose(ids(cohort, 4, 0, 2, 1)) == (0, 1, 2, 4)
    with pytest.raises(LocalProtocolError, match="U2 is fixed once"):
        coordinator.choose(ids(cohort, 0, 1, 2, 4))
    assert coordinator.survivors_message(3).nodes == (0, 1, 2, 4)


def test_only_signed_votes_of_survivors_for_this_sum_count_each_once():
    cohort = Cohort(5, lose={"masked": {4}}).run(until="choose")
    coordinator, survivors = cohort.coordinator, cohort.coordinator.survivors_message(3)
    vote, name = cohort.participants[0].vote(survivors), ids(cohort, 0)[0]
    other = context.survivors_digest(cohort.participants[0].sets[0], (0, 1, 2))
    signed = cohort.identities[0].sign(context.VOTE, other)
    outsider = cohort.identities[4].sign(context.VOTE, vote.survivors)
    assert not coordinator.vote(name, change(vote, survivors=other, signature=signed))
    assert not coordinator.vote(name, change(vote, survivors=other))
    assert not coordinator.vote(name, change(vote, signature=signed))
    assert not coordinator.vote(ids(cohort, 1)[0], vote)
    assert not coordinator.vote(ids(cohort, 4)[0], change(vote, signature=outsider))
    assert not coordinator.vote(BOSS.id, vote)
    assert coordinator.num_votes == 0
    assert coordinator.vote(name, vote)
    assert not coordinator.vote(name, vote)
    assert [v.position for v in coordinator.votes(3).votes] == [0]
