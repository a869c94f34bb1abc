"""Three sets of signs, each one cell wide and complete; the terminal decides."""

import dataclasses

import pytest

from fedtui.tui.glyphs import ASCII, BLOCK, BRAILLE, SETS, Glyphs, choose


@pytest.mark.parametrize(
    ("environment", "encoding", "chosen"),
    [
        ({"TERM": "xterm-256color"}, "utf-8", BRAILLE),
        ({"TERM": "linux"}, "UTF-8", BLOCK),
        ({"TERM": "xterm"}, "ascii", ASCII),
        ({"TERM": "dumb"}, "utf-8", ASCII),
        ({"TERM": "dumb", "FEDTUI_GLYPHS": "block"}, "ascii", BLOCK),
        ({"TERM": "xterm", "FEDTUI_GLYPHS": "nonsense"}, "utf-8", BRAILLE),
    ],
)
def test_the_set_follows_the_terminal(
    environment: dict[str, str], encoding: str, chosen: Glyphs
) -> None:
    assert choose(environment, encoding) is chosen


@pytest.mark.parametrize("glyphs", SETS.values(), ids=lambda one: one.name)
def test_a_set_is_complete_and_its_states_differ(glyphs: Glyphs) -> None:
    assert set(glyphs.steps) == {"waiting", "now", "done", "failed", "skipped"}
    assert len(set(glyphs.steps.values())) == 5
    assert len(glyphs.ramp) == 8


def test_ascii_is_ascii() -> None:
    words = [str(value) for value in dataclasses.asdict(ASCII).values()]
    assert all(word.isascii() for word in words)
