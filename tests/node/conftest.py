"""Makes fake_coordinator.py importable, and gives each test a profile of its own."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from node.paths import Profile, profile


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """An empty profile named `p` below a home that no other test has."""
    monkeypatch.setenv("FEDTUI_HOME", str(tmp_path / "home"))
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    found = profile("p")
    found.create()
    return found
