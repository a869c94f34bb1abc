"""What the screen loads before its first paint: every heavy library costs its user time."""

import subprocess
import sys

HEAVY = {"torch", "numpy", "aiohttp", "zeroconf", "sqlalchemy", "structlog", "psutil", "PIL"}


def test_the_screen_starts_without_any_heavy_library() -> None:
    loads = "import sys, node.cli, fedtui.tui.app; print(*{m.split('.')[0] for m in sys.modules})"
    told = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True)
    assert "textual" in told.stdout.split()
    assert HEAVY & set(told.stdout.split()) == set()
