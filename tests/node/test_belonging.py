"""The coordinator that a node met: what was found out about it stays when it is met again."""

import msgspec
from a_plan import COORDINATOR
from fake_federation import FakeCoordinator, member, settle, write_config

from fedtui.crypto.keys import fingerprint
from fedtui.errors import CloseCode
from fedtui.status import CoordinatorPinned
from node.paths import Profile


async def test_words_and_changed_keys_outlive_a_reconnect(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    shown = (await node.status()).coordinator
    known = msgspec.structs.replace(shown, words=("a", "b"), num_changed=1)
    node._board.post(CoordinatorPinned(coordinator=known))
    coordinator.drop()
    coordinator.connect()
    await settle()
    assert (await node.status()).coordinator == known
    await node.close()


async def test_another_key_at_the_address_is_an_alarm_with_the_pinned_one(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    text = "another key answered"
    coordinator.drop(code=CloseCode.IDENTITY_MISMATCH, text=text, retry=False)
    await settle()
    seen = await node.status()
    (alarm,) = seen.alarms
    assert alarm.kind == "key changed"
    assert "DIFFERENT key" in alarm.text
    assert "Nothing was sent" in alarm.text
    assert fingerprint(COORDINATOR.id) in alarm.detail[0]
    assert text in alarm.detail[1]
    assert seen.coordinator.num_changed == 1
    assert seen.state == "stopped"
    await node.close()


async def test_a_lost_link_says_since_when_and_counts_the_tries(home: Profile) -> None:
    write_config(home)
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    clock = node._home.clock
    assert (await node.status()).offline_since == 0
    coordinator.drop()
    first = clock.now
    seen = await node.status()
    assert (seen.offline_since, seen.retry_at, seen.num_tries) == (first, first + 1, 1)
    clock.now += 7
    coordinator.drop()
    seen = await node.status()
    assert (seen.offline_since, seen.retry_at, seen.num_tries) == (first, first + 8, 2)
    coordinator.connect()
    await settle()
    seen = await node.status()
    assert (seen.offline_since, seen.retry_at, seen.num_tries) == (0, 0, 0)
    coordinator.drop(code=CloseCode(4008), retry=False)
    assert (await node.status()).retry_at == 0, "there is no next try"
    await node.close()


async def test_a_node_that_is_stopped_is_not_offline(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    await node.close()
    assert node._board.status.offline_since == 0
