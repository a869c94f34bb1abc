"""Words cost half a second: they are made when somebody looks at them, and once for each key."""

import asyncio

import pytest
from fake_federation import FakeCoordinator, make_node, member, settle

from node import readings
from node.paths import Profile


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The keys for which words were made."""
    found: list[bytes] = []

    def six(identity: bytes) -> tuple[str, ...]:
        found.append(identity)
        return ("one",) * 6

    monkeypatch.setattr("node.spoken.words", six)
    return found


async def test_own_words_are_made_once(home: Profile, made: list[bytes]) -> None:
    node = make_node(home, FakeCoordinator())
    assert await node.words() == await node.words() == ("one",) * 6
    assert made == [node._home.identity.id]
    await node.close()


async def test_whoever_only_watches_has_none_made(
    home: Profile, made: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "EVERY_S", 0.0)
    node = await member(home, FakeCoordinator())
    unlisten = node._board.listen(lambda _: None)
    for _ in range(10):
        await settle()
    assert made == []
    unlisten()
    await node.close()


async def test_the_coordinators_follow_when_words_are_asked_for(
    home: Profile, made: list[bytes]
) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    told = asyncio.Event()
    node._board.listen(lambda _: told.set() if words_of(node) else None)
    await node.words()
    await told.wait()
    await node.words()
    assert words_of(node) == ("one",) * 6
    assert made == [node._home.identity.id, coordinator.coordinator.id]
    await node.close()


def words_of(node: object) -> tuple[str, ...]:
    pinned = node._board.status.coordinator  # type: ignore[attr-defined]
    return pinned.words if pinned is not None else ()
