"""Real aiohttp on 127.0.0.1: handshake, consent, bulk both ways, reconnect with resume."""

import asyncio

import numpy as np
import pytest
from house import COORDINATOR, PLAN, Bytes, Service, hash_of, house, until

from coordinator.server import Rejected
from fedtui.errors import CloseCode
from fedtui.wire.events import MessageReceived, StreamComplete, StreamReceipt
from fedtui.wire.messages import Enrolled, Open, Waiting
from node.link import LinkStopped


def random_bytes(size: int) -> bytes:
    return np.random.default_rng(7).bytes(size)


async def test_join_and_40_megabytes_each_way() -> None:
    async with house() as here:
        await asyncio.wait_for(here.node.enrolled.wait(), 10)
        assert here.service.log == ["opened", "receipt", "readied"]
        assert here.link.coordinator == COORDINATOR.public

        update = random_bytes(40_000_000)
        opening = Open(stream=0, kind="update", num_bytes=len(update), digest=hash_of(update))
        assert here.link.open_stream(opening, Bytes(update)) is not None
        receipt = await here.node.hear(StreamReceipt)
        assert isinstance(receipt, StreamReceipt)
        assert receipt.digest == opening.digest
        assert here.service.spool.data == update

        model = update[::-1]
        assert here.service.link is not None
        opening = Open(stream=0, kind="model", num_bytes=len(model), digest=hash_of(model))
        assert here.service.link.open_stream(opening, Bytes(model)) is not None
        await here.node.hear(StreamComplete)
        await until(lambda: here.service.log.count("receipt") == 2)
        assert here.node.spool.data == model

        traffic = here.link.traffic(now=1.0)
        assert traffic.sent_payload == len(update)
        assert traffic.received_payload == len(model) + len(PLAN)
        sent = here.service.link.tally.sent
        assert sent.num_bytes == traffic.received_bytes
        assert traffic.sent_bytes - traffic.sent_payload < 0.001 * len(update)


async def test_pending_then_enrolled() -> None:
    async with house(Service(state="pending")) as here:
        await until(lambda: "readied" in here.service.log)
        assert not here.node.enrolled.is_set()
        assert here.service.link is not None
        here.service.link.send(Enrolled(role="participant", not_before=0, signature=b"s" * 64))
        here.service.link.send(Waiting(incarnation=1, present=1, needed=2))
        await asyncio.wait_for(here.node.enrolled.wait(), 10)
        heard = await here.node.hear(MessageReceived)
        assert isinstance(heard, MessageReceived)
        assert isinstance(heard.message, Waiting)


async def test_R10_a_broken_upload_goes_on_where_it_was() -> None:
    async with house() as here:
        await asyncio.wait_for(here.node.enrolled.wait(), 10)
        update = random_bytes(20_000_000)
        source = Bytes(update)
        opening = Open(stream=0, kind="update", num_bytes=len(update), digest=hash_of(update))
        here.link.open_stream(opening, source)
        await until(lambda: len(here.service.spool.data) > 5_000_000)
        assert here.service.link is not None
        here.service.link.lose("the cable was pulled")
        await asyncio.sleep(0)
        await until(lambda: bool(here.node.drops))
        assert len(here.service.spool.data) < len(update)
        await asyncio.wait_for(here.node.enrolled.wait(), 10)
        here.link.open_stream(opening, source)
        await here.node.hear(StreamReceipt)
        assert here.service.spool.data == update
        assert source.num_read - len(update) <= 2 * 2**20
        assert here.service.log.count("opened") == 2
        assert here.service.log.count("closed 4000") == 1


async def test_a_rejection_stops_the_link_with_its_reason() -> None:
    verdict = Rejected(CloseCode.UNAUTHORISED, "this invite was used already")
    async with house(Service(verdict=verdict)) as here:
        stopped = await asyncio.wait_for(here.run, 10)
        assert stopped == LinkStopped(4001, "this invite was used already")
        assert [retry for _, retry in here.node.drops] == [None]


@pytest.mark.parametrize("retry_after_s", [0.0, 0.25])
async def test_an_overloaded_coordinator_is_tried_again(retry_after_s: float) -> None:
    verdict = Rejected(CloseCode.OVERLOADED, "busy", retryable=True, retry_after_s=retry_after_s)
    async with house(Service(verdict=verdict)) as here:
        await until(lambda: bool(here.node.drops))
        here.service.verdict = None
        await asyncio.wait_for(here.node.enrolled.wait(), 10)
        drop, wait_s = here.node.drops[0]
        assert (drop.code, drop.text) == (4010, "busy")
        assert wait_s is not None
        assert wait_s >= retry_after_s
