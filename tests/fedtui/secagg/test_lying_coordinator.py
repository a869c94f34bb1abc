"""Each move of a lying coordinator: honest nodes refuse, or what it can open is noise.

After every attack a thief (a_thief.py) tries, with all that was revealed and all that colluders
hold, every sum of honest vectors. Claim 1: none over fewer than min(minimum, t) - c honest nodes.
"""

from dataclasses import replace

import msgspec
import pytest
from a_cohort import ATTEMPT, AbortedError, Cohort, identities, twin
from a_liar import (
    Attack,
    certificate,
    entries,
    entry_of,
    honest_roster,
    signed_roster,
    signed_survivors,
    vouch,
)
from hypothesis import given
from hypothesis import strategies as st

from fedtui.crypto.keys import short_id
from fedtui.errors import LocalProtocolError
from fedtui.secagg import context
from fedtui.secagg.participant import RefusedError
from fedtui.wire.masked_messages import Mailbox, Roster, Survivors

FULL = tuple(range(5))
change = msgspec.structs.replace


def everybody(shown, nodes=FULL):
    return dict.fromkeys(nodes, shown)


def test_without_a_lie_the_thief_opens_the_whole_sum_and_no_other():
    """The thief works: what the next tests cannot open is not for lack of trying."""
    assert Attack(
        Cohort(5), included=everybody(FULL), survivors=everybody(FULL)
    ).run().opened() == {frozenset(FULL)}
    four = (0, 1, 2, 4)
    with_colluder = Attack(
        Cohort(5), included=everybody(FULL), survivors=everybody(four), colluders={4}
    )
    assert with_colluder.run().opened() == {frozenset({0, 1, 2})}
    assert with_colluder.refused == {3: "the survivors are not among those who masked together"}


# ---- the roster ---------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["mask_key", "share_key", "commitment"])
def test_it_swaps_a_key_for_its_own_towards_one_node(field):
    cohort = Cohort(5)
    spy = Cohort(5, seed=99).participants[2].advertise()

    def swap(node, roster):
        listed = list(roster.entries)
        listed[2] = change(listed[2], **{field: getattr(spy, field)})
        return signed_roster(roster, ATTEMPT, entries=tuple(listed)) if node in (0, 2) else roster

    cohort.to_node[Roster] = swap
    with pytest.raises(AbortedError, match="shares: 3 answered, 4 needed"):
        cohort.run()
    assert f"node {short_id(cohort.ids[2])} did not sign for this model" in cohort.refused[0]
    assert set(cohort.refused) == {0, 2}
    assert cohort.masked == {}


def rosters_of_six_and_five(cohort):
    """The roster without node 5 for nodes 3 and 4, and the whole one for the others."""
    whole = honest_roster(cohort)
    fewer = signed_roster(whole, ATTEMPT, entries=whole.entries[:5], degree=4)
    return {node: fewer if node in (3, 4) else whole for node in range(6)}


def test_P2_it_shows_two_rosters_and_gets_noise():
    cohort, six = Cohort(6), tuple(range(6))
    attack = Attack(
        cohort,
        rosters=rosters_of_six_and_five(cohort),
        included={node: FULL if node in (3, 4) else six for node in six},
        survivors=everybody((0, 1, 2, 5), (0, 1, 2, 5)),
    )
    thief = attack.run()
    assert set(attack.refused) == {3, 4}  # no share that the others sealed opens there
    assert "only 2 holders" in attack.refused[3]
    assert set(thief.vectors) == {0, 1, 2, 5}  # t = 4 of them trust each other...
    assert thief.secret("own", 0)
    assert thief.opened() == set()  # ...and their masks with 3 and 4 never come off


@pytest.mark.parametrize("changed", [{"model_digest": b"n" * 32}, {"plan_hash": b"q" * 32}])
def test_P2_it_shows_one_node_another_model_or_plan(changed):
    """All others refuse to mask with that node, and it refuses to mask with them."""
    cohort = Cohort(5)
    cohort.participants[3] = cohort.participant(3, replace(ATTEMPT, **changed))
    roster = honest_roster(Cohort(5))
    roster = signed_roster(roster, ATTEMPT, entries=tuple(entries(cohort)))
    for node in (0, 1, 2, 4):
        with pytest.raises(RefusedError, match="did not sign for this model, plan and attempt"):
            cohort.participants[node].share(roster)
    theirs = signed_roster(roster, cohort.participants[3].attempt)
    with pytest.raises(RefusedError, match="did not sign for this model, plan and attempt"):
        cohort.participants[3].share(theirs)


def test_it_pads_the_roster_with_evaluators_or_with_identities_of_its_own():
    cohort = Cohort(5)
    puppet, said = identities(1, salt=1)[0], Cohort(6, seed=5).participants[5]
    said._signer = puppet
    for signature in (vouch(puppet, role="evaluator"), b"s" * 64):
        padded = entry_of(puppet, said.advertise(), certificate=signature)
        listed = [*entries(cohort)[:4], padded]
        listed.sort(key=lambda entry: context.identity_of(entry).id)
        roster = signed_roster(honest_roster(Cohort(5)), ATTEMPT, entries=tuple(listed))
        with pytest.raises(RefusedError, match="not enrolled as a participant"):
            twin(cohort.participants[0]).share(roster)


@pytest.mark.parametrize("numbers", [{"colluders": 0}, {"minimum": 2}, {"degree": 2}])
def test_it_lowers_what_was_agreed(numbers):
    cohort = Cohort(5)
    roster = signed_roster(honest_roster(cohort), ATTEMPT, **numbers)
    for participant in cohort.participants:
        with pytest.raises(RefusedError):
            participant.share(roster)


@pytest.mark.parametrize("size", [3, 4])
def test_P3_it_shrinks_the_cohort_below_the_minimum(size):
    """Four are enough to certify and to open a sum, but five were agreed."""
    few, cohort = FULL[:size], Cohort(5, minimum=5)
    whole = honest_roster(cohort)
    small = signed_roster(whole, ATTEMPT, entries=whole.entries[:size], degree=size - 1)
    with pytest.raises(RefusedError, match=f"the roster has {size} nodes"):
        cohort.participants[0].share(small)
    for included, sentence in (
        (few, f"only {size} nodes are left, 5 are needed"),
        (FULL, f"a sum of {size} nodes; 5 are needed"),
    ):
        attack = Attack(
            Cohort(5, minimum=5),
            included=everybody(included, included),
            survivors=everybody(few, few),
        )
        assert attack.run().opened() == set()
        assert attack.refused == everybody(sentence, few)


# ---- U1 and U2 ----------------------------------------------------------------------------------


@pytest.mark.parametrize("starved", [(4,), (3, 4), (2, 3, 4)])
def test_it_starves_the_U1_of_one_node(starved):
    """It would learn that node's update from the sum of the others (secagg.md, checks at 5)."""
    attack = Attack(Cohort(5), included=everybody(FULL) | {4: starved}, survivors=everybody(FULL))
    thief = attack.run()
    assert attack.refused == {4: f"only {len(starved)} nodes are left, 4 are needed"}
    assert thief.opened() == set()


@pytest.mark.parametrize("omitted", FULL[:4])
@pytest.mark.parametrize("collude", [False, True])
def test_P2_it_shows_two_U1_and_gets_noise(omitted, collude):
    """Node 4 masks for another U1 than the others: what it masked with them does not come off.

    Not even where it omits a colluder, with whom every mask is known.
    """
    attack = Attack(
        Cohort(5),
        included=everybody(FULL) | {4: tuple(n for n in FULL if n != omitted)},
        survivors=everybody(FULL),
        colluders={omitted} if collude else (),
    )
    thief = attack.run()
    assert attack.refused == {4: "the survivors are not among those who masked together"}
    assert set(thief.vectors) == set(FULL)
    assert thief.secret("own", 4) is not None
    assert thief.opened() == set()


@pytest.mark.parametrize("colluders", [(), (4,), (0,)])
@pytest.mark.parametrize("other", [(0, 1, 2, 3), (0, 1, 3, 4), (0, 2, 3, 4), (1, 2, 3, 4)])
@pytest.mark.parametrize("first", [(0,), (0, 1), (1, 2), (2, 3), (0, 1, 3)])
def test_P2_it_shows_two_survivor_sets_and_at_most_one_is_certified(first, other, colluders):
    """One node is alive for some and dead for others: never are both its secrets revealed."""
    survivors = {node: FULL if node in first else other for node in FULL}
    attack = Attack(Cohort(5), included=everybody(FULL), survivors=survivors, colluders=colluders)
    thief = attack.run()
    both = [n for n in FULL if thief.secret("own", n) and thief.secret("mask", n)]
    assert set(both) <= set(colluders)
    assert (thief.smallest() or 5) >= 4 - len(colluders)
    assert len(thief.opened()) <= 1


def test_P2_it_names_a_second_set_to_the_same_nodes():
    cohort = Cohort(5, lose={"masked": {4}}).run()
    context3 = cohort.participants[0].sets[0]
    second = signed_survivors(context3, ATTEMPT, FULL)
    for node in range(4):
        with pytest.raises(RefusedError, match="a second, different survivors"):
            cohort.participants[node].vote(second)


# ---- votes, replays, seconds --------------------------------------------------------------------


def test_it_forges_votes_and_nothing_is_revealed():
    cohort = Cohort(5, lose={"masked": {4}}).run(until="vote")
    named = cohort.participants[0].sets[1]
    own = cohort.identities[0].sign(context.VOTE, named)
    forged = certificate(ATTEMPT, [(0, own), *((p, bytes([p]) * 64) for p in (1, 2, 3))])
    with pytest.raises(RefusedError, match="1 survivors voted for this sum, 4 must"):
        cohort.participants[0].reveal(forged)


def test_it_replays_another_attempt():
    """Everything of attempt 1, renumbered and signed again, is worth nothing in attempt 2."""
    old = Cohort(5).run()
    now = replace(ATTEMPT, attempt=2)
    new = Cohort(5, attempt=now, seed=1)
    again = {"attempt": 2}
    with pytest.raises(LocalProtocolError, match="another attempt"):
        new.participants[0].share(old.roster)
    with pytest.raises(RefusedError, match="did not sign for this model"):
        twin(new.participants[0]).share(signed_roster(change(old.roster, **again), now))
    mixed = list(entries(new))
    mixed[3] = entries(old)[3]
    with pytest.raises(RefusedError, match="did not sign for this model, plan and attempt"):
        twin(new.participants[0]).share(
            signed_roster(change(old.roster, **again), now, entries=tuple(mixed))
        )
    new = Cohort(5, attempt=now, seed=1)
    earlier = {(type(m), node): m for node, m in old.said if isinstance(m, Mailbox | Survivors)}
    new.to_node[Mailbox] = lambda node, box: change(box, sealed=earlier[Mailbox, node].sealed)
    with pytest.raises(AbortedError, match="masked: 0 answered"):
        new.run()
    assert set(new.refused) == set(FULL)
    assert "only 1 holders" in new.refused[0]
    later = Cohort(5, attempt=now, seed=1)
    later.to_node[Survivors] = lambda node, _: change(earlier[Survivors, node], **again)
    with pytest.raises(AbortedError, match="vote: 0 answered"):
        later.run()
    assert "not signed with the key" in later.refused[0]
    last = Cohort(5, attempt=now, seed=1).run(until="vote")
    with pytest.raises(RefusedError, match="0 survivors voted for this sum"):
        last.participants[0].reveal(change(old.coordinator.votes(3), **again))


@given(data=st.data())
def test_any_sets_shown_to_anybody_open_no_sum_of_too_few(data):
    """The real masks against the thief, where test_exhaustive.py counts with symbols."""
    num, c, minimum = data.draw(st.sampled_from([(4, 1, 3), (5, 1, 3), (5, 1, 4), (5, 2, 4)]))
    nodes, threshold = range(num), (num + c) // 2 + 1
    colluders = data.draw(st.sets(st.sampled_from([*nodes]), max_size=c))
    subset = st.sampled_from(
        [tuple(nodes)] * num + [tuple(n for n in nodes if n != m) for m in nodes]
    )
    included = {n: data.draw(subset) for n in nodes}
    usual = data.draw(subset)
    survivors = {n: data.draw(st.just(usual) | subset) for n in nodes}
    attack = Attack(
        Cohort(num, c=c, minimum=minimum, seed=data.draw(st.integers(0, 99))),
        included=included,
        survivors=survivors,
        colluders=colluders,
    )
    smallest = attack.run().smallest()
    assert smallest is None or smallest >= min(minimum, threshold) - c
