"""Words cost half a second: they are made when somebody looks at them, and once for each key."""

import asyncio
import threading

import pytest
from fake_federation import FakeCoordinator, make_node, member, settle

from fedtui import status
from fedtui.crypto.keys import Identity, fingerprint
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


async def test_two_who_ask_at_once_have_them_made_once(home: Profile, made: list[bytes]) -> None:
    node = make_node(home, FakeCoordinator())
    one, other = await asyncio.gather(node.words(), node.words())
    assert one == other == ("one",) * 6
    assert made == [node._home.identity.id]
    await node.close()


async def test_what_failed_is_tried_again(home: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    failed = asyncio.Event()
    loop = asyncio.get_running_loop()
    has_room = False

    def six(identity: bytes) -> tuple[str, ...]:
        if identity == coordinator.coordinator.id and not has_room:
            loop.call_soon_threadsafe(failed.set)
            raise MemoryError
        return ("one",) * 6

    monkeypatch.setattr("node.spoken.words", six)
    await node.words()
    await failed.wait()
    while coordinator.coordinator.id in node._spoken._making:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert words_of(node) == ()
    has_room = True
    told = asyncio.Event()
    node._board.listen(lambda _: told.set() if words_of(node) else None)
    await node.words()
    await told.wait()
    await node.close()


async def test_a_coordinator_that_came_meanwhile_gets_its_own(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    other = Identity.from_seed(bytes(range(32))).public
    begun, may_end = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def six(identity: bytes) -> tuple[str, ...]:
        if identity == coordinator.coordinator.id:
            loop.call_soon_threadsafe(begun.set)
            may_end.wait()
        return ("other" if identity == other.id else "one",) * 6

    monkeypatch.setattr("node.spoken.words", six)
    await node.words()
    await begun.wait()
    node._home.trust.pin(other, addresses=("h:1",), label="other", now_s=1.0)
    shown = status.Coordinator(label="other", address="h:1", fingerprint=fingerprint(other.id))
    node._board.post(status.CoordinatorPinned(coordinator=shown))
    told = asyncio.Event()
    node._board.listen(lambda _: told.set() if words_of(node) else None)
    may_end.set()
    await told.wait()
    assert words_of(node) == ("other",) * 6
    await node.close()


def words_of(node: object) -> tuple[str, ...]:
    pinned = node._board.status.coordinator  # type: ignore[attr-defined]
    return pinned.words if pinned is not None else ()
