import asyncio

import pytest
from a_coordinator import until

from coordinator import nodewords
from coordinator.nodewords import MAX_ASKED, NodeWords, Words
from fedtui.crypto.words import words

ID = bytes(range(32))


class Maker:
    def __init__(self) -> None:
        self.made: list[bytes] = []
        self.at_once = 0
        self.most = 0

    async def __call__(self, node_id: bytes) -> Words:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        self.made.append(node_id)
        return ("word", node_id.hex()[:2])


async def test_words_come_later_one_at_a_time_and_are_kept() -> None:
    maker = Maker()
    known = NodeWords(maker)
    nodes = [bytes([n]) * 32 for n in range(3)]
    assert [known.of(node) for node in nodes] == [(), (), ()]
    await until(lambda: len(maker.made) == 3)
    await until(lambda: known.of(nodes[2]) == ("word", "02"))
    assert maker.made == nodes
    assert maker.most == 1
    known.of(nodes[0])
    await known.finish()
    assert maker.made == nodes, "made once"


async def test_strangers_in_numbers_cannot_queue_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nodewords, "MAX_KEPT", 4)
    maker = Maker()
    known = NodeWords(maker)
    for number in range(200):
        known.of(bytes([number]) * 32)
    await until(lambda: len(maker.made) == MAX_ASKED)
    await known.finish()
    assert len(maker.made) == MAX_ASKED
    assert len(known._kept) == 4


@pytest.mark.loopback
async def test_the_words_are_those_that_the_node_shows() -> None:
    known = NodeWords()
    assert known.of(ID) == ()
    await until(lambda: known.of(ID) != ())
    assert known.of(ID) == words(ID)


@pytest.mark.loopback
async def test_stopping_ends_the_process_that_makes_them() -> None:
    known = NodeWords()
    known.of(ID)
    await asyncio.sleep(0)
    await known.finish()
    assert known._kept == {}
