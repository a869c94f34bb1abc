"""Pictures of every modal at 80x24, and of what must hold at 40x12."""

from collections.abc import Awaitable, Callable
from typing import Any

import a_status
import pytest
from a_screen import screen_of
from msgspec.structs import replace
from textual.pilot import Pilot

from fedtui.status import Alarm, NodeStatus
from fedtui.tui.app import FedtuiApp
from fedtui.tui.modals.join.wizard import JoinWizard

pytestmark = pytest.mark.snapshot

NORMAL = a_status.normal()
KEY = Alarm(
    id=3,
    at=a_status.NOW,
    kind="key changed",
    text="clinic-coord presented a DIFFERENT key",
    remedy="stay disconnected; to accept it: a new invite, or fedtui trust replace",
    detail=(
        "pinned: BK6L-UZEO-PLUP-UBBR-AAAA-BBBB-CCCC-DDDD",
        "the coordinator has fingerprint ZQXW-A23F-KKOJ-GAEP, but this node trusts "
        "BK6L-UZEO-PLUP-UBBR",
    ),
)
ASKING = replace(NORMAL, state="asking", consented=False)
CASES: dict[str, tuple[NodeStatus, str]] = {
    "leave": (NORMAL, "leave"),
    "throttle": (NORMAL, "throttle"),
    "panic": (NORMAL, "panic"),
    "stop": (NORMAL, "stop"),
    "detach": (NORMAL, "detach"),
    "ledger": (NORMAL, "ledger"),
    "identity": (NORMAL, "identity"),
    "consent": (NORMAL, "consent"),
    "settings": (NORMAL, "settings"),
    "help": (NORMAL, "help"),
    "alarm": (a_status.alarm(), "alarm"),
    "key-changed": (replace(NORMAL, alarms=(KEY,)), ""),
    "plan-changed": (
        replace(ASKING, plan=replace(a_status.PLAN, differs=("the model is twice as big",))),
        "",
    ),
    "hostile-alarm": (a_status.hostile(), "alarm"),
    "join-find": (a_status.empty(), "join"),
    "join-data": (ASKING, "join"),
    "join-wait": (replace(NORMAL, state="pending", sentence="waiting for approval"), "join"),
}


def giving(command: str) -> Callable[[Pilot[Any]], Awaitable[None]]:
    async def give(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, FedtuiApp)
        await pilot.pause()
        if command:
            app.give(command)
        for _ in range(5):
            await pilot.pause()
        top = app.screen
        if isinstance(top, JoinWizard):
            while any(one.node is top and not one.is_finished for one in app.workers):
                await pilot.pause()
            top.shown(app.store.live)
            await pilot.pause()
        for line in top.query("Input"):
            line.cursor_blink = False  # type: ignore[attr-defined]
        await pilot.pause()

    return give


@pytest.mark.parametrize("size", [(80, 24), (40, 12)], ids=str)
@pytest.mark.parametrize("name", CASES)
def test_it_looks_the_same(name: str, size: tuple[int, int], snap_compare: Any) -> None:
    status, command = CASES[name]
    assert snap_compare(screen_of(status), terminal_size=size, run_before=giving(command))
