"""Models on disk: nothing counts before its digest fits, and the newest committed ones stay."""

import os
from hashlib import blake2b

import pytest

from fedtui.wire.messages import ModelRef
from node.models import Models, Owner
from node.paths import Profile


def digest_of(data: bytes) -> bytes:
    return blake2b(data, digest_size=32).digest()


def put(models: Models, data: bytes) -> bytes:
    download = models.begin(digest_of(data), len(data))
    download.write(memoryview(data)[download.offset :])
    assert download.finish()
    return digest_of(data)


def ref(data: bytes, number: int) -> ModelRef:
    return ModelRef(round=number, digest=digest_of(data), num_bytes=len(data))


@pytest.fixture
def models(home: Profile) -> Models:
    return Models(home.models)


@pytest.mark.parametrize("cut", [0, 1, 50, 99, 100])
def test_a_download_goes_on_where_it_stopped(models: Models, cut: int) -> None:
    data = os.urandom(100)
    first = models.begin(digest_of(data), 100)
    first.write(memoryview(data)[:cut])
    first.close()
    assert not models.has(digest_of(data))
    second = models.begin(digest_of(data), 100)
    assert second.offset == cut
    second.write(memoryview(data)[cut:])
    assert second.finish()
    assert models.path(digest_of(data)).read_bytes() == data
    assert models.has(digest_of(data))


@pytest.mark.parametrize("arrives", [b"", b"x" * 99, b"x" * 100, b"x" * 101])
def test_what_is_not_the_model_is_thrown_away(
    models: Models, home: Profile, arrives: bytes
) -> None:
    digest = digest_of(b"y" * 100)
    download = models.begin(digest, 100)
    download.write(memoryview(arrives))
    assert not download.finish()
    assert not models.has(digest)
    assert list(home.models.iterdir()) == []


def test_a_partial_file_that_is_too_long_starts_over(models: Models, home: Profile) -> None:
    data = b"z" * 10
    (home.models / f"{digest_of(data).hex()}.part").write_bytes(b"q" * 11)
    assert models.begin(digest_of(data), 10).offset == 0


def test_a_changed_file_is_not_believed_after_a_restart(models: Models, home: Profile) -> None:
    digest = put(models, b"model")
    models.path(digest).write_bytes(b"mOdel")
    again = Models(home.models)
    assert not again.has(digest)
    assert not again.path(digest).exists()


def test_the_newest_committed_models_stay_and_others_go(models: Models, home: Profile) -> None:
    data = [bytes([n]) * 8 for n in range(5)]
    digests = [put(models, one) for one in data]
    for number in range(4):
        models.certify(ref(data[number], number), final=False)
    models.tidy(wanted=digests[4])
    assert [models.has(digest) for digest in digests] == [False, False, True, True, True]
    models.tidy()
    assert not models.has(digests[4])
    newest = models.newest_here()
    assert newest is not None
    assert newest.round == 3
    again = Models(home.models)
    assert again.newest_here() == newest


def test_a_committed_model_that_is_not_here_is_not_offered(models: Models) -> None:
    put(models, b"one")
    models.certify(ref(b"one", 1), final=False)
    models.certify(ref(b"two", 2), final=True, score=0.5)
    newest = models.newest_here()
    assert newest is not None
    assert newest.round == 1
    put(models, b"two")
    newest = models.newest_here()
    assert newest is not None
    assert (newest.round, newest.final, newest.score) == (2, True, 0.5)


def test_nothing_is_committed_where_the_note_is_damaged(models: Models, home: Profile) -> None:
    assert models.newest_here() is None
    (home.models / "certified.json").write_bytes(b"[{]")
    assert models.certified() == ()


def test_a_history_that_the_coordinator_gave_up_is_forgotten(models: Models) -> None:
    """After a restore from a backup rounds are repeated: what comes last counts."""
    for number, data in ((7, b"seven"), (8, b"eight")):
        put(models, data)
        models.certify(ref(data, number), final=False)
    put(models, b"again")
    models.certify(ref(b"again", 3), final=False)
    models.tidy()
    newest = models.newest_here()
    assert newest is not None
    assert (newest.round, newest.digest) == (3, digest_of(b"again").hex())
    assert [one.round for one in models.certified()] == [3]


def test_models_of_another_federation_or_coordinator_are_forgotten(models: Models) -> None:
    def owner(federation: str, coordinator: str) -> Owner:
        return Owner(federation_id=federation, coordinator_id=coordinator)

    assert models.belong_to(owner("f1", "c1"))
    put(models, b"model")
    models.certify(ref(b"model", 9), final=True, counted=True)
    assert models.num_counted == 1
    assert not models.belong_to(owner("f1", "c1"))
    assert not models.belong_to(owner("f1", "c2"), formerly=["c0", "c1"]), "its key was rotated"
    assert models.newest_here() is not None
    assert models.num_counted == 1
    assert models.belong_to(owner("f2", "c2"), formerly=["c1"])
    assert models.newest_here() is None
    assert models.num_counted == 0
    assert not models.has(digest_of(b"model"))
    put(models, b"model")
    models.certify(ref(b"model", 1), final=False)
    assert models.belong_to(owner("f2", "c3"))
    assert models.certified() == ()


def test_before_any_committed_model_is_here_the_last_one_stays_as_a_base(models: Models) -> None:
    """The initial model is never committed by a Result, but the first change begins with it."""
    initial, first, second = b"a" * 40, b"b" * 40, b"c" * 40
    assert models.base() is None
    put(models, initial)
    models.certify(ref(first, 1), final=False)
    models.tidy()
    assert models.base() == digest_of(initial)
    put(models, first)
    assert models.base() == digest_of(first)
    models.tidy()
    assert not models.has(digest_of(initial))
    put(models, second)
    assert models.base() == digest_of(first), "nobody committed to the second one yet"
