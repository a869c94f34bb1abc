"""What tests of orders look at: the clock of a node, its state, what it told the coordinator."""

from fake_federation import Clock, FakeCoordinator

from fedtui.wire.messages import Away
from node.controls import Node

MB = 1e6
HOUR_S = 3600.0


def clock(node: Node) -> Clock:
    found = node._home.clock
    assert isinstance(found, Clock)
    return found


def aways(coordinator: FakeCoordinator) -> list[bool]:
    return [message.away for message in coordinator.said if isinstance(message, Away)]


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


async def state(node: Node) -> str:
    return (await node.status()).state
