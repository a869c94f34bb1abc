"""Groups of a cohort, each a secure aggregation of its own: exact sums, and who is dropped."""

import msgspec
import pytest
from a_cohort import ATTEMPT
from a_grouped_cohort import GroupedCohort
from a_liar import signed_roster
from hypothesis import given, settings
from hypothesis import strategies as st

from fedtui.secagg import context, groups
from fedtui.secagg.coordinator import Frozen
from fedtui.secagg.encoding import EncodingError
from fedtui.wire.codec import canonical
from fedtui.wire.messages import Mailbox, Roster, Survivors


def expected(cohort):
    return {at: cohort.naive(nodes) for at, nodes in cohort.in_sum.items()}


@settings(max_examples=12)
@given(st.integers(6, 14), st.integers(3, 5), st.integers(0, 99))
def test_every_group_opens_its_own_exact_sum(num, group, seed):
    cohort = GroupedCohort(num, group=group, seed=seed).run()
    assert cohort.refused == {}
    assert sorted(n for nodes in cohort.in_sum.values() for n in nodes) == list(range(num))
    assert cohort.sums == expected(cohort)
    assert min(map(len, cohort.in_sum.values())) >= group


def test_nodes_and_coordinator_agree_who_is_in_which_group():
    cohort = GroupedCohort(10).run(until="share")
    for node, participant in enumerate(cohort.participants):
        at = cohort.coordinator.group_of(cohort.identities[node].id)
        assert list(participant.part.positions) == cohort.members(at)


@pytest.mark.parametrize("phase", ["shares", "masked", "vote", "reveal"])
def test_a_group_that_loses_one_of_three_is_dropped_and_the_others_open(phase):
    cohort = GroupedCohort(9, lose={phase: {4}}).run()
    lost = cohort.coordinator.group_of(cohort.identities[4].id)
    assert set(cohort.coordinator.dropped) == {lost}
    assert set(cohort.sums) == {0, 1, 2} - {lost}
    assert cohort.sums == expected(cohort)
    assert cohort.refused == {}


def test_a_group_of_four_spares_one():
    cohort = GroupedCohort(8, group=4, lose={"masked": {2}}).run()
    assert cohort.coordinator.dropped == {}
    assert sorted(map(len, cohort.in_sum.values())) == [3, 4]
    assert cohort.sums == expected(cohort)


def test_a_spoilt_vector_spoils_its_own_group_only():
    cohort = GroupedCohort(9)
    cohort.spoil = lambda node, words: words + 1 if node == 4 else words
    with pytest.raises(EncodingError, match="one was spoilt"):
        cohort.run()
    others = [
        half for at, half in cohort.coordinator.groups.items() if 4 not in cohort.members(at)
    ]
    assert len(others) == 2
    assert all(half.can_open for half in others)


def test_nothing_of_one_group_means_anything_in_another():
    """A mailbox, a survivor set or a vote of the neighbours is refused, whoever signed it."""
    cohort = GroupedCohort(6).run(until="share")
    cohort.coordinator.include(cohort.ids)
    one, other = (cohort.coordinator.members(at)[0] for at in (0, 1))
    mine = cohort.participants[cohort.numbers[one]]
    with pytest.raises(Exception, match="not signed with the key"):
        mine.masks(cohort.coordinator.mailbox(other, 3))
    cohort = GroupedCohort(6).run(until="choose")
    vote = cohort.participants[cohort.numbers[other]].vote(
        cohort.coordinator.survivors_message(other, 3)
    )
    assert not cohort.coordinator.vote(one, vote)
    assert cohort.coordinator.vote(other, vote)
    assert cohort.coordinator.has_voted(other)
    assert not cohort.coordinator.has_voted(one)
    assert not cohort.coordinator.vote(b"?" * 32, vote)


@pytest.mark.parametrize("changes", [{"group": 4}, {"group": 2}, {"group": 0, "degree": 8}])
def test_another_group_size_is_refused_before_anything_is_shared(changes):
    cohort = GroupedCohort(9)
    cohort.to_node[Roster] = lambda _, roster: signed_roster(roster, ATTEMPT, **changes)
    cohort.run(until="share")
    assert set(cohort.refused) == set(range(9))
    assert all("agreed were groups of 3" in said for said in cohort.refused.values())
    assert not any(half.num_shared for half in cohort.coordinator.groups.values())


def test_a_coordinator_that_puts_nodes_elsewhere_is_refused(monkeypatch):
    """No message says where a node is: it can only carry what was sealed for somebody else."""
    cohort = GroupedCohort(9)
    honest = groups.split
    monkeypatch.setattr(
        "fedtui.secagg.grouped.groups.parts",
        lambda ctx, whole: tuple(moved(ctx, whole, honest)),
    )
    cohort.ready()
    cohort.introduce()
    monkeypatch.undo()
    cohort.share()
    cohort.coordinator.include(cohort.ids)
    for half in cohort.coordinator.groups.values():
        for one in half.ids(half.included):
            node = cohort.numbers[one]
            letter = cohort.coordinator.mailbox(one, 3)
            cohort.masks[node] = cohort._ask(node, cohort.participants[node].masks, letter)
    left_alone = set(cohort.members(2))
    assert {node for node, masks in cohort.masks.items() if masks} == left_alone
    assert not left_alone & set(cohort.refused)


def moved(ctx, whole, honest):
    """The parts of a roster whose first two groups have traded a member."""
    first, second, *rest = honest(ctx, [e.commitment for e in whole.entries], whole.group)
    first, second = first[:-1] + second[-1:], second[:-1] + first[-1:]
    context2 = context.roster_context(ctx, whole)
    return [
        groups.Part(
            tuple(sorted(positions)),
            msgspec.structs.replace(
                whole,
                entries=tuple(whole.entries[p] for p in sorted(positions)),
                degree=len(positions) - 1,
                group=0,
            ),
            context.group_context(context2, index),
        )
        for index, positions in enumerate((first, second, *rest))
    ]


@pytest.mark.parametrize("kind", [Mailbox, Survivors])
def test_a_group_below_its_minimum_is_refused_by_its_members(kind):
    """Claim 1 in a group: no sum of fewer than its minimum, however many are in the others."""
    cohort = GroupedCohort(9)
    victim = 0

    def fewer(node, message):
        half = cohort.coordinator.groups[cohort.coordinator.group_of(cohort.identities[node].id)]
        if node not in [cohort.numbers[one] for one in half.nodes] or node != victim:
            return message
        if kind is Mailbox:
            two = message.included[:2]
            named = context.included_context(half.context2, two)
            sealed = tuple(s for s in message.sealed if s.position in two)
            changes = {"included": two, "sealed": sealed}
            purpose = context.MAILBOX
        else:
            two = message.nodes[:2]
            context3 = context.included_context(half.context2, half.included)
            named = context.survivors_digest(context3, two)
            changes, purpose = {"nodes": two}, context.SURVIVORS
        signature = half._identity.sign(purpose, named)
        return msgspec.structs.replace(message, **changes, signature=signature)

    cohort.to_node[kind] = fewer
    cohort.run()
    assert set(cohort.refused) == {victim}
    lost = cohort.coordinator.group_of(cohort.identities[victim].id)
    assert set(cohort.sums) == {0, 1, 2} - {lost}


def test_another_life_goes_on_from_what_was_frozen():
    cohort = GroupedCohort(9, lose={"masked": {4}}).run(until="choose")
    kept = msgspec.msgpack.decode(canonical(cohort.coordinator.frozen()), type=Frozen)
    before = cohort.coordinator
    cohort.coordinator = cohort.fresh()
    cohort.coordinator.thaw(kept)
    assert set(cohort.coordinator.dropped) == set(before.dropped)
    assert cohort.coordinator.context2 == before.context2
    cohort.vote()
    cohort.reveal()
    cohort.open()
    assert cohort.sums == expected(cohort)
    assert len(cohort.sums) == 2


def test_without_groups_there_is_one():
    cohort = GroupedCohort(5, group=0).run()
    assert cohort.coordinator.num_groups == 1
    assert cohort.sums == expected(cohort)
    assert cohort.in_sum == {0: [0, 1, 2, 3, 4]}
