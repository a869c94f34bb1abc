"""A replay is a node that only tells."""

import inspect
from collections.abc import Iterator

import pytest

from fedtui.control.replay import Replay
from fedtui.status import Limits, NodeControls, NodeStatus, Refused, Setup

TOLD = [(0.0, NodeStatus(seq=1, label="a")), (0.002, NodeStatus(seq=2, label="a"))]
GIVEN = {
    "address": "h:1",
    "coordinator_id": "ab",
    "invite": "i",
    "choice": Setup(),
    "plan_hash": "p",
    "limits": Limits(),
    "alarm_id": 1,
}
READS = {"status", "watch", "ledger", "log", "history"}


async def test_it_tells_every_status_and_then_waits() -> None:
    replay = Replay(TOLD)
    watching = replay.watch()
    seen = [await anext(watching) for _ in TOLD]
    assert seen == [status for _, status in TOLD]
    assert await replay.status() == TOLD[-1][1]


async def test_it_reads_on_only_as_it_tells() -> None:
    read: list[int] = []

    def told() -> Iterator[tuple[float, NodeStatus]]:
        for number in range(1, 4):
            read.append(number)
            yield 0.0, NodeStatus(seq=number)

    replay = Replay(told())
    assert (await replay.status()).seq == 1
    watching = replay.watch()
    for number in range(1, 4):
        assert (await anext(watching)).seq == number
        assert read[-1] == number
    await watching.aclose()


async def test_a_recording_of_nothing_is_an_empty_node() -> None:
    assert await Replay(()).status() == NodeStatus()


@pytest.mark.parametrize(
    "name",
    sorted(
        name
        for name, _ in inspect.getmembers(NodeControls, inspect.isfunction)
        if not name.startswith("_") and name not in READS
    ),
)
async def test_it_obeys_nothing(name: str) -> None:
    method = getattr(Replay(TOLD), name)
    needed = {
        key: GIVEN[key]
        for key, one in inspect.signature(method).parameters.items()
        if one.default is inspect.Parameter.empty
    }
    with pytest.raises(Refused, match="recording"):
        await method(**needed)
