"""A round that is over: its outcome, phases, and what left in it."""

import a_status
from a_screen import running, screen_of, text_of
from msgspec.structs import replace

from fedtui.tui.glyphs import BRAILLE
from fedtui.tui.modals.rounddetail import RoundDetail, facts, phases, sent

PAST = a_status.past()


def test_what_is_known_is_said_and_what_is_not_is_left_out() -> None:
    text = facts(PAST[0]).plain
    assert text.startswith("counted")
    assert "8 nodes, 8 updates in the sum" in text
    assert "sum of at least 5" in text
    late = facts(PAST[3]).plain
    assert late.startswith("late: missed the deadline by 4 s")
    bare = replace(PAST[0], score=None, cohort=None, num_updates=None, masked=False)
    assert "score" not in facts(bare).plain
    assert "VISIBLE" in facts(bare).plain


def test_phases_and_what_left() -> None:
    assert "✔ upload" in phases(PAST[0], BRAILLE).plain
    assert "masked update, 300 k values: 1.2 MB, masked" in sent(PAST[0], a_status.ledger()).plain
    assert sent(PAST[0], ()).plain == "nothing"


async def test_hostile_reasons_are_only_drawn() -> None:
    app = screen_of(a_status.hostile())
    async with running(app, (40, 12)) as pilot:
        await app.push_screen(RoundDetail(app.store.live.status.rounds[0]))
        await pilot.pause()
        text = text_of(app)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "Esc" in text
