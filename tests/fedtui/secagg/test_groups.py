"""The map of groups: against an independent one, uniform, and dependent on every commitment."""

import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.secagg import context, groups
from fedtui.secagg.context import RosterBody
from fedtui.wire.messages import RosterEntry

digests = st.binary(min_size=32, max_size=32)
rosters = st.lists(digests, min_size=3, max_size=40, unique=True)
sizes = st.integers(3, 9)


def textbook(ctx, commitments, size):
    """The map as docs/protocol.md describes it, from hashlib alone."""
    hashed = b""
    for part in (b"fedtui1-group", ctx, *commitments):
        hashed += len(part).to_bytes(8, "little") + part
    seed = hashlib.blake2b(hashed, digest_size=32, person=b"fedtui-digest-v1").digest()
    ranks = {}
    for position in range(len(commitments)):
        name = position.to_bytes(4, "little")
        ranks[hashlib.blake2b(name, key=seed, digest_size=32).digest()] = position
    order = [ranks[rank] for rank in sorted(ranks)]
    count = len(commitments) // size or 1
    found = [[] for _ in range(count)]
    for place, position in enumerate(order):  # the last place that is not beyond
        at = max(i for i in range(count) if i * len(order) // count <= place)
        found[at].append(position)
    return tuple(tuple(sorted(group)) for group in found)


@given(digests, rosters, sizes)
def test_it_is_the_map_that_anybody_computes(ctx, commitments, size):
    assert groups.split(ctx, commitments, size) == textbook(ctx, commitments, size)


@given(digests, rosters, sizes)
def test_every_node_is_in_one_group_and_no_group_is_smaller_or_much_larger(ctx, roster, size):
    found = groups.split(ctx, roster, size)
    assert sorted(p for group in found for p in group) == list(range(len(roster)))
    lengths = [len(group) for group in found]
    assert max(lengths) - min(lengths) <= 1
    if len(roster) >= size:
        assert size <= min(lengths)
        assert max(lengths) < 2 * size
    assert all(list(group) == sorted(group) for group in found)


@pytest.mark.parametrize("place", range(30))
def test_one_other_commitment_anywhere_is_another_map(place):
    commitments = [bytes([i]) * 32 for i in range(30)]
    before = groups.split(b"c" * 32, commitments, 3)
    commitments[place] = b"x" * 32
    assert groups.split(b"c" * 32, commitments, 3) != before
    assert groups.split(b"d" * 32, commitments, 3) != groups.split(b"c" * 32, commitments, 3)


def test_every_pair_meets_as_often_as_chance_says():
    """9 nodes in 3 groups: two meet in a quarter of the maps; chi-squared over 36 pairs."""
    num, met = 2000, Counter()
    for i in range(num):
        commitments = [hashlib.blake2b(bytes([i % 256, i // 256, j])).digest() for j in range(9)]
        for group in groups.split(b"c" * 32, commitments, 3):
            met.update((a, b) for a in group for b in group if a < b)
    assert len(met) == 36
    expected = num / 4
    assert sum((n - expected) ** 2 / expected for n in met.values()) < 68  # p < 0.001 is beyond


def body(num, group, **changes):
    entries = tuple(
        RosterEntry(
            x25519=bytes([i]) * 32,
            ed25519=bytes([i]) * 32,
            not_before=0,
            certificate=bytes(64),
            mask_key=bytes([i]) * 32,
            share_key=bytes([i]) * 32,
            commitment=bytes([i]) * 32,
            signature=bytes(64),
        )
        for i in range(num)
    )
    given = {"colluders": 1, "minimum": 3, "degree": 0, "group": group} | changes
    return RosterBody(entries=entries, **given)


def test_a_roster_without_groups_is_its_only_part():
    whole = body(5, 0, degree=4)
    (part,) = groups.parts(b"c" * 32, whole)
    assert part.positions == (0, 1, 2, 3, 4)
    assert part.body == whole
    assert part.context2 == context.roster_context(b"c" * 32, whole)


def test_each_part_is_a_roster_with_a_context_of_its_own():
    whole = body(10, 3)
    found = groups.parts(b"c" * 32, whole)
    assert [len(part.positions) for part in found] == [3, 3, 4]
    for part in found:
        assert part.body.entries == tuple(whole.entries[p] for p in part.positions)
        assert part.body.degree == len(part.positions) - 1
        assert (part.body.colluders, part.body.minimum, part.body.group) == (1, 3, 0)
    contexts = {part.context2 for part in found} | {context.roster_context(b"c" * 32, whole)}
    assert len(contexts) == 4


def test_the_context_of_a_group_covers_the_whole_roster():
    """So the groups of two rosters have nothing in common, even if their members are the same."""
    before = {part.context2 for part in groups.parts(b"c" * 32, body(9, 3))}
    for other in (body(9, 4), body(9, 3, minimum=4), body(9, 3, colluders=2), body(10, 3)):
        assert not before & {part.context2 for part in groups.parts(b"c" * 32, other)}
