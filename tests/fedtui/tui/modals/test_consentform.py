"""The consent form: every item with form, reader, frequency, control and source; none left out."""

import a_status
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fedtui.status import Leaves
from fedtui.tui.modals import consentform
from fedtui.tui.modals.consentform import WIDE, as_text, cards, changes, never, table

PLAN = a_status.PLAN
WORDS = st.text(st.sampled_from("abc 東é"), min_size=1, max_size=60)
LEAVES = st.builds(Leaves, item=WORDS, form=WORDS, reader=WORDS, when=WORDS, can=WORDS)


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("text", [cards(PLAN.leaves).plain, as_text(PLAN)])
def test_every_cell_of_every_item_is_there(text: str) -> None:
    for one in PLAN.leaves:
        for cell in (one.item, one.form, one.reader, one.when, one.can, one.source):
            assert cell in text


@given(st.lists(LEAVES, min_size=1, max_size=4), st.integers(WIDE, 160))
def test_the_table_fits_and_loses_no_letter(leaves: list[Leaves], width: int) -> None:
    made = table(tuple(leaves), width)
    lines = made.split("\n")
    assert all(line.cell_length <= width for line in lines)
    drawn = sorted(squeezed(made.plain))
    wanted = "".join(
        one.item + one.form + one.reader + one.when + one.can + one.source for one in leaves
    )
    assert drawn == sorted(squeezed(wanted + "".join(consentform.HEADS)))


def test_what_never_leaves_and_the_worst_case_are_said() -> None:
    text = never(PLAN).plain
    assert text.startswith("NEVER: images, labels")
    assert "Worst case: coordinator and 7 of 8 nodes" in text


def test_only_a_plan_that_differs_has_changes() -> None:
    assert not changes(PLAN, "!")
    text = changes(replace(PLAN, differs=("the model", "the task")), "!").plain
    assert text.splitlines()[1:] == ["! the model", "! the task"]


def test_the_whole_plan_names_its_hashes() -> None:
    text = consentform.facts(PLAN).plain
    assert PLAN.plan_hash in text
    assert PLAN.form_hash in text
