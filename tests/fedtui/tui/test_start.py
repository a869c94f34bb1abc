"""What the screen loads before its first paint: every heavy library costs its user time."""

import subprocess
import sys

HEAVY = {"torch", "numpy", "aiohttp", "zeroconf", "sqlalchemy", "structlog", "psutil", "PIL"}


def test_the_screen_starts_without_any_heavy_library() -> None:
    loads = "import sys, node.cli, fedtui.tui.app; print(*sys.modules)"
    argv = [sys.executable, "-c", loads]
    told = subprocess.run(argv, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in told.stdout.split()}
    assert "textual" in loaded
    assert HEAVY & loaded == set()
