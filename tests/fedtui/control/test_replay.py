"""A replay is a node that only tells."""

import inspect

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
