"""What is timed is called as it is written now."""

import argparse
from typing import Any
from unittest.mock import create_autospec

import pytest

from benchmarks import loops


async def test_rounds_and_screen_are_called_with_what_they_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOOP_WATCH", "")  # put back afterwards
    parts: list[tuple[str, ...]] = []

    async def screen_run(options: argparse.Namespace, shards: tuple[str, ...]) -> dict[str, Any]:
        assert options.rounds > 0
        parts.append(shards)
        return {}

    run = create_autospec(loops.screen.run, side_effect=screen_run)
    monkeypatch.setattr(loops.screen, "run", run)
    monkeypatch.setattr(loops.rounds, "measure", create_autospec(loops.rounds.measure))
    options = argparse.Namespace(dim=10, rounds=2, seconds=1.0)
    assert await loops.measure(options) == {"dim": 10, "rounds": {}, "screen": {}}
    assert [len(one) for one in parts] == [loops.screen.NODES]
