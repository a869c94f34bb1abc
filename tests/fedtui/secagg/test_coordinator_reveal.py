"""The coordinator's half alone, its end: which shares it takes, and what they open."""

import msgspec
import pytest
from a_cohort import ATTEMPT, BOSS, Cohort

from fedtui.crypto import shamir
from fedtui.secagg.coordinator import Coordinator, Frozen, LostError
from fedtui.wire.masked_messages import Reveal, Share

FULL = tuple(range(5))
change = msgspec.structs.replace


def ids(cohort, *nodes):
    return [cohort.identities[node].id for node in nodes]


def reveal_of(cohort, node):
    return cohort.participants[node].reveal(cohort.coordinator.votes(3))


def stray(cohort, node, **changes):
    """What `node` reveals, changed, is dropped whole; what it really says is then taken."""
    said, name = reveal_of(cohort, node), ids(cohort, node)[0]
    before = cohort.coordinator.short
    assert not cohort.coordinator.reveal(name, change(said, **changes))
    assert cohort.coordinator.short == before
    assert cohort.coordinator.revealed == ()


def test_shares_that_a_node_cannot_hold_or_must_not_give_are_dropped():
    cohort = Cohort(6, lose={"shares": {5}, "masked": {4}}, minimum=3).run(until="vote")
    one = Share(position=0, share=bytes(32))
    said = reveal_of(cohort, 0)
    stray(cohort, 0, masks=(*said.masks, one))  # the key of who is alive
    stray(cohort, 0, selves=(*said.selves, change(one, position=4)))  # the self mask of who is not
    stray(cohort, 0, masks=(*said.masks, change(one, position=5)))  # of who is not in U1
    stray(cohort, 0, selves=(change(one, position=6),))
    stray(cohort, 0, selves=(change(one, share=shamir.PRIME.to_bytes(32, "little")),))
    stray(cohort, 0, masks=(change(one, share=bytes(31)),))
    assert not cohort.coordinator.reveal(ids(cohort, 4)[0], said)
    assert not cohort.coordinator.reveal(BOSS.id, said)
    assert cohort.coordinator.reveal(ids(cohort, 0)[0], said)
    assert not cohort.coordinator.reveal(ids(cohort, 0)[0], said)
    assert cohort.coordinator.revealed == (0,)


def test_it_knows_whose_secrets_are_short_of_shares():
    cohort = Cohort(5, lose={"masked": {4}, "reveal": set(FULL)}).run(until="reveal")
    coordinator = cohort.coordinator
    for number, node in enumerate((0, 1, 2, 3)):
        assert not coordinator.can_open
        assert coordinator.short == (0, 1, 2, 3, 4)
        with pytest.raises(LostError, match=f"{number} shares of a secret came, 4 are needed"):
            coordinator.unmasking()
        assert coordinator.reveal(ids(cohort, node)[0], reveal_of(cohort, node))
    assert coordinator.can_open
    assert coordinator.short == ()
    unmasking = coordinator.unmasking()
    assert (unmasking.num_survivors, unmasking.liars) == (4, ())
    assert (len(unmasking.plus), len(unmasking.minus)) == (0, 8)


def test_a_reveal_that_lacks_one_share_leaves_only_that_secret_short():
    cohort = Cohort(4, lose={"reveal": {0, 1}})
    cohort.from_node[Reveal] = lambda node, said: (
        change(said, selves=said.selves[:3]) if node == 2 else said
    )
    cohort.run(until="reveal")
    assert cohort.coordinator.reveal(ids(cohort, 1)[0], reveal_of(cohort, 1))
    assert cohort.coordinator.short == (3,)
    assert cohort.coordinator.reveal(ids(cohort, 0)[0], reveal_of(cohort, 0))
    assert cohort.coordinator.can_open


def test_in_a_ring_a_lost_node_whose_neighbours_are_all_lost_needs_no_shares():
    cohort = Cohort(130).run(until="introduce")
    coordinator = Coordinator(ATTEMPT, BOSS, colluders=1, minimum=3)
    coordinator.thaw(cohort.coordinator.frozen())
    everybody, lonely = range(130), 7
    around = coordinator._graph.neighbours(lonely)
    assert len(around) == cohort.roster.degree < 129
    lost = {lonely, *around}
    survivors = tuple(node for node in everybody if node not in lost)
    coordinator.thaw(
        Frozen(body=coordinator.frozen().body, included=tuple(everybody), survivors=survivors)
    )
    assert set(coordinator.short) == {*survivors, *around}


# ---- another life -------------------------------------------------------------------------------


def test_a_coordinator_that_was_restarted_after_survivors_opens_the_same_sum():
    cohort = Cohort(5, lose={"masked": {1}}).run()
    slots, frozen = cohort.slots, cohort.coordinator.frozen()
    data = msgspec.msgpack.encode(frozen)
    again = Coordinator(ATTEMPT, BOSS, colluders=1, minimum=3)
    again.thaw(msgspec.msgpack.decode(data, type=type(frozen)))
    assert again.frozen() == frozen
    assert again.roster(3) == cohort.roster
    assert again.num_votes == 0
    assert not again.can_open
    cohort.coordinator, cohort.slots = again, []
    cohort.vote()  # nodes repeat what they said
    cohort.reveal()
    cohort.open()
    assert cohort.slots == slots == cohort.naive()
