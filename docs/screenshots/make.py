"""Write the pictures of the README: the screen on a node of a real federation, as SVG.

    python docs/screenshots/make.py        (or: make screenshots)

A coordinator and four nodes train on the digits; the screen is attached to one of them, without a
terminal, and draws itself into files when something is to be seen.
"""

import asyncio
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from fedtui.control.client import ControlClient
from fedtui.demo.federation import LocalFederation, NodeSpec
from fedtui.demo.programs import Programs
from fedtui.demo.screen import socket_of
from fedtui.tui.app import FedtuiApp
from fedtui.tui.settings import Settings

HERE = Path(__file__).parent
LABELS = ("alder", "birch", "cedar", "maple")
ROUNDS = 12
PLAN = f"""\
[federation]
name = "digits of four clinics"
[task]
name = "digits"
metric = "accuracy"
[training]
epochs = 60
batch_size = 8
learning_rate = 0.02
[selection]
minimum = {len(LABELS)}
[rounds]
start_with = {len(LABELS)}
maximum = {ROUNDS}
[evaluation]
holdout = 0.2
with_evaluator = false
"""
PICTURES = (
    ("overview", (120, 36), "", "fedtui-dark"),
    ("overview-small", (80, 24), "", "fedtui-light"),
    ("privacy", (100, 30), "5", "fedtui-dark"),
    ("ledger", (100, 30), "x", "fedtui-dark"),
    ("federation", (100, 30), "6", "fedtui-dark"),
)


async def picture(
    socket: Path, name: str, size: tuple[int, int], key: str, theme: str, *, after: int
) -> None:
    """Attach, wait until round `after` is being trained, press `key`, draw."""
    app = FedtuiApp(
        ControlClient(socket),
        clock=lambda: datetime.now(UTC).timestamp(),
        settings=Settings(theme=theme, hz=4),
    )
    app.title = "fedtui"
    async with app.run_test(size=size) as pilot:
        while True:
            await pilot.pause(0.2)
            status = app.store.live.status
            if status.final or (status.round.number >= after and status.training.fraction > 0.4):
                break
        if key:
            await pilot.press(key)
            await pilot.pause(0.5)
        app.refresh_view()
        await pilot.pause(0.3)
        (HERE / f"{name}.svg").write_text(app.export_screenshot(title="fedtui"), encoding="utf-8")
    sys.stderr.write(f"{name}.svg\n")


async def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="fedtui-pictures-"))
    (folder / "run").mkdir(mode=0o700)
    programs = Programs(
        folder, {"FEDTUI_HOME": str(folder / "nodes"), "XDG_RUNTIME_DIR": str(folder / "run")}
    )
    specs = tuple(
        NodeSpec(label=label, shard=f"{n}/{len(LABELS)}") for n, label in enumerate(LABELS)
    )
    federation = LocalFederation(programs, PLAN, specs)
    try:
        await federation.start()
        socket = socket_of(folder / "nodes", LABELS[0])
        for number, (name, size, key, theme) in enumerate(PICTURES):
            await picture(socket, name, size, key, theme, after=4 + number)
    finally:
        await programs.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    asyncio.run(main())
