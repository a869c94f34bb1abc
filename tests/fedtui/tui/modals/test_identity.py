"""Who is who: both keys, words on demand, and only of the key that is pinned."""

import a_status
from a_screen import drawn, running, screen_of, text_of
from fake_node import FakeNode
from msgspec.structs import replace

from fedtui.tui.app import FedtuiApp
from fedtui.tui.glyphs import ASCII, BRAILLE
from fedtui.tui.modals.identity import Identity, coordinator_lines
from fedtui.tui.modals.qr import qr

COORDINATOR = a_status.normal().coordinator
assert COORDINATOR is not None


def top(app: FedtuiApp) -> Identity:
    assert isinstance(app.screen, Identity)
    return app.screen


async def test_both_keys_our_words_and_a_qr() -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        await pilot.press("i")
        await drawn(app, pilot)
        text = text_of(app)
        for words in ("BK6L-UZEO", "QWER-TYUI", "brisk cedar dune", "pinned 2026-11-20", "▀"):
            assert words in text
        assert "amber" not in text
        await pilot.press("y")
        assert app.clipboard.startswith("brisk cedar")


async def test_its_words_are_asked_for_and_shown_if_the_pinned_key_answers() -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        await pilot.press("i")
        await drawn(app, pilot)
        await pilot.press("w")
        await drawn(app, pilot)
        top(app).shown(app.store.live)
        await pilot.pause()
        assert "amber fjord kettle" in text_of(app)


async def test_another_key_gives_no_words_but_an_error() -> None:
    app = screen_of(a_status.normal())
    assert isinstance(app.controls, FakeNode)
    app.controls.probed = replace(app.controls.probed, fingerprint="ZZZZ")
    async with running(app) as pilot:
        await pilot.press("i")
        await drawn(app, pilot)
        await pilot.press("w")
        await drawn(app, pilot)
        assert "another key answers" in text_of(app)
        assert "amber" not in text_of(app)


def test_the_history_of_a_key() -> None:
    assert COORDINATOR is not None
    one = replace(COORDINATOR, formerly="OLD1-OLD2", num_changed=2)
    text = coordinator_lines(one, ()).plain
    assert "formerly OLD1-OLD2" in text
    assert "presented here 2 times" in text
    assert "press j" in coordinator_lines(None, ()).plain


def test_a_qr_is_square_and_dark_on_light_in_both_sets_of_signs() -> None:
    blocks = qr("BK6L-UZEO-PLUP-UBBR", BRAILLE).plain.split("\n")
    signs = qr("BK6L-UZEO-PLUP-UBBR", ASCII).plain.split("\n")
    assert {len(row) for row in blocks} == {len(signs)}
    assert {len(row) for row in signs} == {2 * len(signs)}
    assert set("".join(blocks)) <= set(" ▀▄█")
    assert "#ffffff" in str(qr("x", BRAILLE).spans)
