from pathlib import Path

import pytest

from coordinator import adminclient
from coordinator.answers import Done
from coordinator.asks import AskStop
from coordinator.layout import Layout
from coordinator.refusals import NotRunningError


def test_without_a_coordinator_it_says_how_to_start_one(tmp_path: Path) -> None:
    assert not adminclient.is_running(Layout(tmp_path))
    with pytest.raises(NotRunningError, match=f"serve --dir {tmp_path}"):
        adminclient.ask(Layout(tmp_path), AskStop(), Done)
