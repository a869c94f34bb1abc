"""What several suites of real programs need: modules beside them, short paths, a federation."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from programs import Federation


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A short path, since sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="ft") as folder:
        yield Path(folder)


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[Federation]:
    """Two nodes in a federation that never ends."""
    found = Federation(tmp_path / "f", nodes=2, rounds=10_000)
    found.folder.mkdir()
    found.init()
    found.serve()
    for name in ("a", "b"):
        done = found.join(name)
        assert done.returncode == 0, done.stderr
    yield found
    found.close()
