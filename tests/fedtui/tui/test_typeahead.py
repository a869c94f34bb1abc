"""Keys that arrive several at once, as over a slow link: each goes where the others led."""

import asyncio
from typing import ClassVar

import pytest
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Key
from textual.widgets import Input

from fedtui.tui.typeahead import KeysInOrder


class Form(KeysInOrder):
    """Enter in the first field leads to the second; in the others it takes the field away."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f9", "typed")]

    def __init__(self) -> None:
        super().__init__()
        self.all_typed = asyncio.Event()

    def action_typed(self) -> None:
        self.all_typed.set()

    def compose(self) -> ComposeResult:
        yield Input(id="first", select_on_focus=False)
        yield Input(id="second", select_on_focus=False)
        yield Input(id="third", select_on_focus=False)

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "first":
            self.query_one("#second").focus()
        else:
            await event.input.remove()
            self.query_one("#third").focus()


def value(app: Form, field: str) -> str:
    return app.query_one(field, Input).value


async def typed(app: Form, *keys: str) -> None:
    """All at once, and until all were handled, the last by a binding of the app."""
    for key in (*keys, "f9"):
        app.post_message(Key(key, key if len(key) == 1 else None))
    await app.all_typed.wait()


@pytest.mark.parametrize("mover", ["tab", "enter"])
async def test_letters_after_a_tab_or_an_enter_are_in_the_next_field(mover: str) -> None:
    app = Form()
    async with app.run_test() as pilot:
        app.query_one("#first").focus()
        await pilot.pause()
        await typed(app, *"car", mover, *"fiscal")
        assert (value(app, "#first"), value(app, "#second")) == ("car", "fiscal")


async def test_back_and_forth_lands_where_it_was_typed() -> None:
    app = Form()
    async with app.run_test() as pilot:
        app.query_one("#first").focus()
        await pilot.pause()
        keys = [*"ab", "tab", *"cd", "tab", *"ef", "shift+tab", "g", "shift+tab", "h"]
        await typed(app, *keys)
        assert [value(app, f"#{one}") for one in ("first", "second", "third")] == [
            "abh",
            "cdg",
            "ef",
        ]


async def test_keys_after_a_field_that_went_away_are_not_lost() -> None:
    app = Form()
    async with app.run_test() as pilot:
        app.query_one("#second").focus()
        await pilot.pause()
        await typed(app, "x", "enter", *"tail")
        assert not app.query("#second")
        assert value(app, "#third") == "tail"
