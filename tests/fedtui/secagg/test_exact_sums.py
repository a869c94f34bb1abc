"""Whoever is lost, and when: the exact sum of the survivors, or an abort that says why.

The reference adds plain vectors in Python integers, and predicts from section 5 of secagg.md in
which phase too few are left: q = t = floor((n + c) / 2) + 1.
"""

import msgspec
import numpy as np
import pytest
from a_cohort import PHASES, AbortedError, Cohort
from hypothesis import given
from hypothesis import strategies as st

from fedtui.secagg import encoding, graph
from fedtui.secagg.coordinator import LostError
from fedtui.wire.masked_messages import Reveal

change = msgspec.structs.replace


def predicted(num, c, minimum, lose):
    """How an attempt ends that loses these: None for a sum, or the sentence of its abort."""
    left = num - len(lose.get("ready", ()))
    threshold = (left + c) // 2 + 1
    least = max(minimum, threshold)
    for phase, needed in (("ready", minimum), ("shares", least), ("masked", least)):
        left -= 0 if phase == "ready" else len(lose.get(phase, ()))
        if left < needed:
            return f"{phase}: {left} answered, {needed} needed"
    left -= len(lose.get("vote", ()))
    if left < threshold:
        return f"vote: {left} answered, {threshold} needed"
    left -= len(lose.get("reveal", ()))
    return None if left >= threshold else f"{left} shares of a secret came, {threshold} are needed"


def ended(cohort):
    """Run to the end: None, or the sentence of the abort."""
    try:
        cohort.run()
    except (AbortedError, LostError) as error:
        return str(error)
    assert cohort.slots == cohort.naive()
    assert cohort.refused == {}
    return None


@st.composite
def attempts(draw):
    num = draw(st.integers(3, 8))
    c = draw(st.integers(1, max(1, num - 2)))
    minimum = draw(st.integers(c + 2, max(c + 2, num)))
    fates = draw(st.lists(st.sampled_from([*PHASES, *["stays"] * 12]), min_size=num, max_size=num))
    lose = {phase: {n for n in range(num) if fates[n] == phase} for phase in PHASES}
    return num, c, minimum, lose


@given(
    attempt=attempts(),
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 40),
    lanes=st.sampled_from([2, 3, 4]),
)
def test_any_losses_end_in_the_exact_sum_or_in_an_abort_that_says_where(
    attempt, seed, size, lanes
):
    num, c, minimum, lose = attempt
    cohort = Cohort(num, c=c, minimum=minimum, seed=seed, size=size, lanes=lanes, lose=lose)
    assert ended(cohort) == predicted(num, c, minimum, lose)


NUMBERS = [(3, 1, 3), (4, 1, 3), (5, 1, 3), (5, 1, 5), (5, 2, 4), (6, 1, 3), (7, 2, 6), (8, 1, 3)]


@pytest.mark.parametrize(("num", "c", "minimum"), NUMBERS)
@pytest.mark.parametrize("phase", ["shares", "masked", "vote", "reveal"])
def test_P3_losses_up_to_the_limit_of_claim_2_give_the_sum_and_one_more_aborts(
    num, c, minimum, phase
):
    threshold = (num + c) // 2 + 1
    early = phase in ("shares", "masked")
    limit = num - (max(threshold, minimum) if early else threshold)
    for number in range(limit + 2):
        for first in (0, num - number):  # the lowest positions, and the highest
            lost = set(range(first, first + number))
            cohort = Cohort(num, c=c, minimum=minimum, lose={phase: lost})
            sentence = ended(cohort)
            assert (sentence is None) == (number <= limit)
            assert sentence == predicted(num, c, minimum, {phase: lost})
            if sentence and early:  # nobody was asked to reveal anything
                assert not [m for _, m in cohort.said if isinstance(m, Reveal)]


def test_the_limit_of_claim_2_shared_out_over_every_phase():
    lose = {"shares": {1}, "masked": {7}, "vote": {4}, "reveal": {2}}
    assert (12 + 1) // 2 + 1 == 7
    assert ended(Cohort(12, lose=lose | {"reveal": {2, 9}})) is None
    one_more = ended(Cohort(12, lose=lose | {"reveal": {2, 9, 0}}))
    assert one_more == "6 shares of a secret came, 7 are needed"
    assert ended(Cohort(12, lose={"ready": set(range(7))} | {"shares": {8}})) is None


def test_a_sum_of_several_chunks_is_near_the_floats_it_stands_for():
    cohort = Cohort(4, size=2 * encoding.PAYLOAD_WORDS + 100, lose={"masked": {2}}).run()
    assert cohort.encoding.num_chunks == 2
    assert cohort.slots == cohort.naive()
    size, scale = cohort.size, cohort.encoding.scale
    updates = [cohort.update(node) for node in (0, 1, 3)]
    products = [np.clip(values.astype(float) * w, -4, 4) * scale for values, w, _ in updates]
    assert np.abs(np.array(cohort.slots[:size]) - sum(products)).max() <= 3
    totals = encoding.scalars(cohort.encoding, cohort.slots[size:], 3)
    assert totals == {
        "weight": sum(w for _, w, _ in updates),
        "examples": sum(examples for _, _, examples in updates),
    }


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_ring_gives_the_exact_sum_too():
    num, c = 140, 1
    degree = graph.degree(num, c, 9)
    assert degree < num - 1, "this is not a ring"
    cohort = Cohort(
        num, c=c, dropouts=9, lose={"shares": {5, 77}, "masked": {0, 99, 139}, "vote": {3, 50, 51}}
    )
    assert ended(cohort) is None
    assert len(cohort.roster.entries) == num
    assert cohort.roster.degree == degree
