"""The pane of lines: cursor, scrolling, following."""

from textual.app import App, ComposeResult
from textual.content import Content

from fedtui.tui.coordinator.listing import Listing


class Bare(App[None]):
    CSS = "Listing { height: 6; width: 20; }"

    def __init__(self, listing: Listing) -> None:
        super().__init__()
        self.listing = listing

    def compose(self) -> ComposeResult:
        yield self.listing


def lines(*names: str) -> list[tuple[str, Content]]:
    return [(name, Content(name)) for name in names]


def shown(listing: Listing) -> list[str]:
    return [line.plain.rstrip() for line in listing.lines]


async def test_the_cursor_stays_on_what_it_was_on_and_in_sight() -> None:
    listing = Listing(id="x", picks=True)
    async with Bare(listing).run_test() as pilot:
        listing.focus()
        listing.fill(lines(*"abcdefghij"), Content("head"))
        await pilot.press("down", "down")
        assert listing.chosen == "c"
        listing.fill(lines("new", *"abcdefghij"), Content("head"))
        assert listing.chosen == "c"
        await pilot.press("end")
        assert listing.chosen == "j"
        assert shown(listing)[0] == "head"
        assert shown(listing)[-1] == "j"
        listing.fill(lines("a"), Content("head"))
        assert listing.chosen == "a"
        listing.fill([])
        assert listing.chosen is None


async def test_what_is_out_of_sight_is_counted_in_the_border() -> None:
    listing = Listing(id="x", picks=True)
    async with Bare(listing).run_test() as pilot:
        listing.focus()
        listing.fill(lines(*"abcdefghij"))
        assert str(listing.border_subtitle) == f"{10 - listing.room} more"
        await pilot.press("end")
        assert str(listing.border_subtitle) == f"{10 - listing.room} above"


async def test_the_newest_is_followed_until_somebody_scrolls_up() -> None:
    listing = Listing(id="x", tail=True)
    async with Bare(listing).run_test() as pilot:
        listing.focus()
        listing.fill(lines(*"abcdefghij"))
        assert shown(listing)[-1] == "j"
        await pilot.press("up")
        listing.fill(lines(*"abcdefghijk"))
        assert shown(listing)[-1] == "i", "it stands still to be read"
        await pilot.press("end")
        listing.fill(lines(*"abcdefghijkl"))
        assert shown(listing)[-1] == "l"


async def test_a_click_chooses() -> None:
    listing = Listing(id="x", picks=True)
    async with Bare(listing).run_test() as pilot:
        listing.fill(lines(*"abc"), Content("head"))
        await pilot.click(listing, offset=(2, 2))
        assert listing.chosen == "b"
        await pilot.click(listing, offset=(2, 0))
        assert listing.chosen == "b", "the heading is no line"


async def test_a_line_about_nothing_is_not_drawn_as_chosen() -> None:
    listing = Listing(id="x", picks=True)
    async with Bare(listing).run_test():
        listing.focus()
        listing.fill([("", Content("none yet"))])
        assert not listing.lines[0].spans
        listing.fill(lines("a"))
        assert listing.lines[0].spans
