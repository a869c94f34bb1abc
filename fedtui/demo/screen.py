"""The operator's screen on one of the demo's nodes, in this terminal, while it all runs."""

import asyncio
from pathlib import Path

from fedtui.control.attaching import attached, surroundings
from fedtui.control.client import ControlClient
from fedtui.control.clock import utc
from fedtui.demo.programs import ProgramError
from fedtui.tui.app import FedtuiApp
from fedtui.tui.outside import Outside
from fedtui.tui.settings import Settings

LINGER_S = 20.0
OVER = f"the federation is over: q shows the summary, or wait {LINGER_S:.0f} s"


def socket_of(nodes: Path, label: str) -> Path:
    """Where the node's daemon listens for screens. Raises ProgramError if it does not say."""
    note = nodes / label / "node.socket"
    try:
        return Path(note.read_text(encoding="utf-8").strip())
    except OSError as error:
        raise ProgramError(f"{label} does not say where it listens: {error.strerror}") from error


async def show(socket: Path, exports: Path, *, over: asyncio.Event) -> None:
    """Draw until the operator detaches, or a moment after `over` was set."""
    app = FedtuiApp(
        ControlClient(socket, seen=lambda hello: attached(app.store, hello)),
        clock=utc,
        settings=Settings(detach_asks=False),
        outside=Outside(environment=surroundings(), exports=exports),
    )
    drawing = asyncio.create_task(app.run_async())
    ending = asyncio.create_task(over.wait())
    try:
        await asyncio.wait({drawing, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not drawing.done():
            app.say(OVER)
            await asyncio.wait({drawing}, timeout=LINGER_S)
    finally:
        ending.cancel()
        if not drawing.done():
            app.exit()
        await drawing
