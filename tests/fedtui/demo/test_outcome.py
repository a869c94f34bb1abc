"""What came of a demo, in words, as JSON and as an exit status."""

from pathlib import Path
from typing import Any

import pytest

from fedtui.demo.outcome import closing, exit_status, outcome_of
from fedtui.demo.settings import Settings


def status(target: float | None, best: float | None) -> dict[str, Any]:
    return {
        "task": "digits",
        "metric": "accuracy",
        "masked": True,
        "target": target,
        "best": {"score": best},
        "ended": "all 1 rounds done",
        "privacy": "updates are masked",
        "rounds": [
            {
                "round": 1,
                "seconds": 1.5,
                "score": best,
                "participants": 3,
                "dropped": 1,
                "bytes_up": None,
                "bytes_down": None,
            }
        ],
    }


@pytest.mark.parametrize(
    ("target", "best", "met", "code", "said"),
    [
        (0.9, 0.95, True, 0, "target reached: accuracy 95.00% after 1 round, 4 s in all"),
        (0.9, 0.85, False, 1, "target NOT reached: accuracy 85.00% after 1 round"),
        (0.9, None, False, 1, "target NOT reached: nobody measured it after 1 round"),
        (None, 0.85, None, 0, "no target was set: accuracy 85.00% after 1 round"),
        (None, None, None, 0, "no target was set: nobody measured it after 1 round"),
    ],
)
def test_a_target_is_reached_missed_or_not_there(
    target: float | None, best: float | None, *, met: bool | None, code: int, said: str
) -> None:
    found = status(target, best)
    outcome = outcome_of(Settings(), found, 4.0, Path("out"))
    assert outcome["reached"] is met
    assert outcome["target"] == target
    assert exit_status(outcome) == code
    lines = [text for text, _ in closing(found, outcome)]
    assert lines[0].startswith(said)
    assert ("why it ended: all 1 rounds done" in lines) is (not met)
    assert lines[-1] == "updates are masked"


def test_bytes_that_nobody_knows_are_null() -> None:
    outcome = outcome_of(Settings(), status(0.9, 0.95), 4.0, Path("out"))
    assert outcome["rounds"][0]["bytes_up"] is None
    assert outcome["rounds"][0]["bytes_down"] is None
