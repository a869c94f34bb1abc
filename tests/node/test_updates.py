"""The update that survives: only whole, only for its round and model."""

from hashlib import blake2b

import pytest

from fedtui.wire.messages import UpdateHeader
from node.paths import Profile
from node.updates import FileSource, Update, Updates

DATA = bytes(range(100))
NOTE = Update(
    round=3,
    model="aa" * 32,
    digest=blake2b(DATA, digest_size=32).hexdigest(),
    num_bytes=100,
    header=UpdateHeader(num_examples=5, sums={"correct": 1.0}),
)


@pytest.fixture
def updates(home: Profile) -> Updates:
    return Updates(home.work)


def test_it_is_found_for_its_round_and_model_only(updates: Updates, home: Profile) -> None:
    updates.path.write_bytes(DATA)
    updates.keep(NOTE)
    again = Updates(home.work)
    assert again.kept_for(3, b"\xaa" * 32) == NOTE
    assert again.kept_for(4, b"\xaa" * 32) is None
    assert again.kept_for(3, b"\xbb" * 32) is None
    again.drop()
    again.drop()
    assert again.kept_for(3, b"\xaa" * 32) is None
    assert list(home.work.iterdir()) == []


@pytest.mark.parametrize("content", [None, DATA[:-1], b"x" * 100])
def test_a_file_that_is_missing_or_changed_does_not_count(
    updates: Updates, content: bytes | None
) -> None:
    updates.keep(NOTE)
    if content is not None:
        updates.path.write_bytes(content)
    assert updates.kept_for(3, b"\xaa" * 32) is None


def test_a_damaged_note_does_not_count(updates: Updates, home: Profile) -> None:
    updates.path.write_bytes(DATA)
    (home.work / "update.json").write_bytes(b"{")
    assert updates.kept_for(3, b"\xaa" * 32) is None


def test_a_source_gives_exactly_what_is_asked_or_fails(updates: Updates) -> None:
    updates.path.write_bytes(DATA)
    source = FileSource(updates.path)
    assert source.num_bytes == 100
    assert source.read(90, 10) == DATA[90:]
    with pytest.raises(OSError, match="cut short"):
        source.read(95, 10)
    source.close()
    source.close()


def test_the_masked_vector_goes_with_the_update_and_alone(updates: Updates, home: Profile) -> None:
    updates.path.write_bytes(DATA)
    updates.keep(NOTE)
    updates.masked.write_bytes(DATA)
    (home.work / "masked.u64.tmp").write_bytes(DATA)
    updates.drop_masked()
    updates.drop_masked()
    assert sorted(path.name for path in home.work.iterdir()) == ["update.f32", "update.json"]
    updates.masked.write_bytes(DATA)
    updates.drop()
    assert list(home.work.iterdir()) == []


def test_whoever_waits_hears_of_the_last_byte_before_it_goes(updates: Updates) -> None:
    updates.path.write_bytes(b"0123456789")
    heard: list[int] = []
    source = FileSource(updates.path, lambda: heard.append(1))
    source.read(0, 9)
    assert heard == []
    source.read(9, 1)
    assert heard == [1]
    source.close()
