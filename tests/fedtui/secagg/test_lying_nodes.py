"""Nodes that lie: named or caught by the guards, and never a silent wrong sum."""

from dataclasses import replace
from itertools import combinations

import msgspec
import numpy as np
import pytest
from a_cohort import Cohort
from a_liar import signed_ready

from fedtui.crypto import shamir
from fedtui.crypto.keys import KeyPair
from fedtui.secagg import context, encoding
from fedtui.secagg.coordinator import LostError
from fedtui.secagg.encoding import EncodingError
from fedtui.wire.masked_messages import Ready, Reveal, Shares

change = msgspec.structs.replace


def ended(cohort):
    """Run to the end: None for the exact sum, or the sentence of what was lost."""
    try:
        cohort.run()
    except LostError as error:
        return str(error)
    assert cohort.slots == cohort.naive()
    assert cohort.refused == {}
    return None


def lying(lies, field="selves"):
    """A hook: node by node, what is added to every share it reveals."""

    def hook(node, said):
        shares = [
            change(one, share=moved(one.share, lies[node](one.position)))
            for one in (getattr(said, field) if node in lies else ())
        ]
        return change(said, **{field: tuple(shares)}) if node in lies else said

    return hook


def moved(share, by):
    return shamir.to_bytes((shamir.from_bytes(share) + by) % shamir.PRIME)


def noise(node):
    return lambda of: int(np.random.default_rng([node, of]).integers(1, 2**60))


@pytest.mark.parametrize("field", ["selves", "masks"])
@pytest.mark.parametrize("num_liars", [1, 2])
def test_liars_among_enough_holders_are_found_and_the_sum_is_exact(field, num_liars):
    survivors = range(7)  # of 8, t = 5
    for liars in combinations(survivors, num_liars):
        cohort = Cohort(8, lose={"masked": {7}})
        cohort.from_node[Reveal] = lying({liar: noise(liar) for liar in liars}, field)
        assert ended(cohort) is None
        # five shares are tried first: a wrong one is seen, and then all that are wrong
        assert cohort.unmasking.liars == (liars if min(liars) < 5 else ())


def test_two_liars_whose_lies_cancel_do_not_get_honest_holders_named():
    """Without holder 2 the lies of 0 and 1 cancel: the secret is right, its shares are not."""
    tried_second = (1, 2, 4, 5, 6)  # x = position + 1, t = 5
    one, other = (shamir._lagrange(x, tried_second, 0) for x in (1, 2))
    by = -one * pow(other, -1, shamir.PRIME)
    cohort = Cohort(8)
    cohort.from_node[Reveal] = lying({0: lambda of: 1, 1: lambda of: by})
    assert ended(cohort) is None
    assert cohort.unmasking.liars == (0, 1)


def test_one_liar_too_many_ends_in_an_abort_that_names_whose_secret_is_lost():
    for liars in combinations(range(5), 2):  # t = 4: three right shares are left
        cohort = Cohort(5)
        cohort.from_node[Reveal] = lying({liar: noise(liar) for liar in liars})
        assert ended(cohort) == "the shares of position 0 do not give what it committed to"
    for liar in range(4):  # one lost, and all four others needed
        cohort = Cohort(5, lose={"masked": {4}})
        cohort.from_node[Reveal] = lying({liar: noise(liar)}, "masks")
        assert ended(cohort) == "the shares of position 4 do not give what it committed to"


def test_liars_who_agree_on_another_secret_do_not_get_it_into_the_sum():
    cohort = Cohort(5)  # one number added to every share is that number added to the secret
    cohort.from_node[Reveal] = lying(dict.fromkeys(range(5), lambda of: 1))
    assert ended(cohort) == "the shares of position 0 do not give what it committed to"


def test_a_wrong_commitment_is_named():
    cohort = Cohort(5)
    liar = cohort.participants[2]
    ready = signed_ready(
        cohort.identities[2], liar.advertise(), cohort.attempt, commitment=b"k" * 32
    )
    liar.advertise = lambda: ready
    assert ended(cohort) == "the shares of position 2 do not give what it committed to"


@pytest.mark.parametrize("lost", [False, True])
def test_a_mask_key_that_does_not_follow_from_the_shared_secret_is_named_once_it_matters(lost):
    cohort = Cohort(5, lose={"masked": {2}} if lost else {})
    liar = cohort.participants[2]
    liar._drawn = replace(liar._drawn, masking=KeyPair.from_secret(b"k" * 32))
    sentence = "the shares of position 2 do not give what it committed to"
    assert ended(cohort) == (sentence if lost else None)


def test_a_node_that_seals_wrong_shares_for_one_holder_disturbs_nothing():
    cohort = Cohort(6)  # t = 4
    dealer = cohort.participants[1]

    def hook(node, said):
        if node != 1:
            return said
        sealed = dealer._seal(dealer._roster, 0, bytes(64))
        return change(said, sealed=(change(said.sealed[0], sealed=sealed), *said.sealed[1:]))

    cohort.from_node[Shares] = hook
    assert ended(cohort) is None


@pytest.mark.parametrize("which", ["mask_key", "share_key"])
@pytest.mark.parametrize("key", ["copied", "low order"])
def test_who_is_ready_with_a_copied_or_useless_key_is_left_out(which, key):
    cohort = Cohort(6)
    first = cohort.participants[0].advertise()
    bad = getattr(first, which) if key == "copied" else bytes(32)
    cohort.from_node[Ready] = lambda node, said: (
        signed_ready(cohort.identities[3], said, cohort.attempt, **{which: bad})
        if node == 3
        else said
    )
    assert ended(cohort) is None
    assert cohort.survivors == (0, 1, 2, 4, 5)


GARBAGE = {
    "noise": lambda cohort, words: np.frombuffer(bytes(range(256)) * len(words), "<u8")[
        : len(words)
    ],
    "zeros": lambda cohort, words: np.zeros_like(words),
    "no masks": lambda cohort, words: cohort.plain[2],
    "guard": lambda cohort, words: words + (np.arange(len(words)) == 0).astype(np.uint64),
    "twice": lambda cohort, words: words + cohort.plain[2],
    "last guard": lambda cohort, words: (
        words + (np.arange(len(words)) == encoding.CHUNK_WORDS).astype(np.uint64)
    ),
    "its self mask is missing": lambda cohort, words: cohort._shifted(
        words, (), cohort.masks[2].plus[:1]
    ),
    "chunks in another order": lambda cohort, words: np.roll(words, encoding.CHUNK_WORDS),
}


@pytest.mark.parametrize("what", GARBAGE)
def test_a_garbage_vector_is_caught_by_a_guard(what):
    cohort = Cohort(4, size=2 * encoding.PAYLOAD_WORDS + 50)
    cohort.spoil = lambda node, words: GARBAGE[what](cohort, words) if node == 2 else words
    with pytest.raises(EncodingError, match="does not come from 4 whole vectors"):
        cohort.run()


@pytest.mark.parametrize("kind", ["plus", "minus"])
def test_a_seed_too_few_or_a_wrong_one_never_passes_for_a_sum(kind):
    cohort = Cohort(5, lose={"masked": {2}}).run()
    total, right = sum(cohort.masked.values()), cohort.unmasking
    seeds = {"plus": list(right.plus), "minus": list(right.minus)}
    assert cohort.decoded(total, **seeds) == cohort.naive()
    for seed in seeds[kind]:
        fewer = [other for other in seeds[kind] if other != seed]
        for wrong in (fewer, [*fewer, context.self_seed(1, bytes(32))]):
            with pytest.raises(EncodingError):
                cohort.decoded(total, **(seeds | {kind: wrong}))
