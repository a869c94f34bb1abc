"""P1: what the coordinator sees of an update is noise, and equal noise for different updates.

Five nodes; fixed seeds, so a test that passes once passes always. Chi-squared over the 256 values
of a byte: above LIMIT, noise would be with a probability below 0.001.
"""

import msgspec
import numpy as np
import pytest
from a_cohort import ATTEMPT, Cohort
from a_thief import Thief

from fedtui.secagg import encoding
from fedtui.wire.masked_messages import Mailbox, Reveal, Roster, Survivors, Vote, Votes

LIMIT = 330.52  # chi-squared with 255 degrees of freedom exceeds it with probability 0.001
SIZE = 3 * encoding.PAYLOAD_WORDS  # two chunks of two lanes
NODES = range(5)


def counts(words):
    return np.bincount(np.ascontiguousarray(words).view(np.uint8), minlength=256)


def against_uniform(words):
    seen = counts(words)
    expected = seen.sum() / 256
    return float(((seen - expected) ** 2 / expected).sum())


def against_each_other(one, other):
    """Chi-squared of two samples of equal size: whether one distribution made both."""
    seen, others = counts(one).astype(float), counts(other).astype(float)
    return float(((seen - others) ** 2 / np.maximum(seen + others, 1)).sum())


def cohort_of(update, seed=0):
    """A whole attempt whose nodes all trained `update(node)`."""
    cohort = Cohort(5, size=SIZE, seed=seed, lose={"masked": {4}})
    cohort.update = lambda node: (update(node).astype(np.float32), 1.0, 100)
    return cohort.run()


def zeros(node):
    return np.zeros(SIZE)


def loud(node):
    return np.full(SIZE, 3.0) * (-1) ** node


@pytest.fixture(scope="module")
def quiet_run():
    return cohort_of(zeros)


@pytest.fixture(scope="module")
def loud_run():
    return cohort_of(loud, seed=1)


def test_P1_plain_vectors_are_far_from_uniform(quiet_run, loud_run):
    """What is measured can tell an update from noise at all."""
    for run in (quiet_run, loud_run):
        assert min(against_uniform(run.plain[node]) for node in NODES) > 100 * LIMIT
    assert against_each_other(quiet_run.plain[0], loud_run.plain[0]) > 100 * LIMIT


def test_P1_masked_vectors_cannot_be_told_from_uniform(quiet_run, loud_run):
    for run in (quiet_run, loud_run):
        for node in run.masked:
            words = run.masked[node]
            assert against_uniform(words) < LIMIT
            for byte in range(8):  # of every word, so that no lane shows through
                assert against_uniform(words.view(np.uint8)[byte::8].copy()) < LIMIT


def test_P1_differences_of_masked_vectors_and_of_their_chunks_are_uniform_too(quiet_run):
    """A seed used twice, for two nodes or two chunks, would leave a plain difference."""
    first, second = (place for _, place in encoding.chunks(quiet_run.encoding))
    for node, words in quiet_run.masked.items():
        short = len(words[second])
        assert against_uniform(words[first][:short] - words[second]) < LIMIT
        for other in quiet_run.masked.keys() - {node}:
            assert against_uniform(words - quiet_run.masked[other]) < LIMIT
            assert against_uniform(words + quiet_run.masked[other]) < LIMIT


def test_P1_the_same_update_looks_different_in_every_attempt(quiet_run):
    again = cohort_of(zeros, seed=2)
    for node in quiet_run.masked:
        assert np.array_equal(again.plain[node], quiet_run.plain[node])
        assert against_uniform(again.masked[node] - quiet_run.masked[node]) < LIMIT


def test_P1_no_plaintext_coordinate_is_in_the_transcript(quiet_run, loud_run):
    for run in (quiet_run, loud_run):
        for node, words in run.masked.items():
            assert not np.count_nonzero(words == run.plain[node])


def test_P1_transcripts_of_two_inputs_are_statistically_equal(quiet_run, loud_run):
    for node in quiet_run.masked:
        assert against_each_other(quiet_run.masked[node], loud_run.masked[node]) < LIMIT
    shapes = [
        [(node, type(said).__name__, len(msgspec.msgpack.encode(said))) for node, said in run.said]
        for run in (quiet_run, loud_run)
    ]
    assert shapes[0] == shapes[1]
    assert {name for _, name, _ in shapes[0]} >= {
        kind.__name__ for kind in (Roster, Mailbox, Survivors, Vote, Votes, Reveal)
    }


def test_P1_with_the_same_secrets_nothing_but_the_vectors_depends_on_the_update(quiet_run):
    other = cohort_of(loud)
    assert other.said == quiet_run.said
    for node in other.masked:
        moved = other.masked[node] - quiet_run.masked[node]
        assert np.array_equal(moved, other.plain[node] - quiet_run.plain[node])


def test_P1_all_that_the_coordinator_has_opens_the_sum_and_no_vector(quiet_run):
    thief = Thief(quiet_run)
    included = quiet_run.coordinator.included
    for node, words in quiet_run.masked.items():
        thief.take(node, words, included, quiet_run.participants[node].sets[0])
    for node, message in quiet_run.said:
        if isinstance(message, Reveal):
            thief.hear(node, message)
    assert thief.opened() == {frozenset({0, 1, 2, 3})}
    assert quiet_run.slots == quiet_run.naive()
    assert all(m.round == ATTEMPT.round for _, m in quiet_run.said)
