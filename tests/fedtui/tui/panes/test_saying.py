"""Rows of words never exceed their width; what matters most stays."""

from hypothesis import given
from hypothesis import strategies as st

from fedtui.tui.lines import Piece
from fedtui.tui.panes import saying

TEXTS = st.text(max_size=60)
PIECES = st.lists(st.builds(Piece, TEXTS, st.sampled_from(["", "$quiet"]), st.integers(0, 5)))


@given(PIECES, st.integers(1, 160))
def test_a_row_never_exceeds_its_width(pieces: list[Piece], width: int) -> None:
    assert saying.row(width, *pieces).cell_length <= width


def test_the_highest_rank_goes_first() -> None:
    pieces = (Piece("keep"), Piece("later", rank=1), Piece("first", rank=2))
    assert saying.row(80, *pieces).plain == "keep  later  first"
    assert saying.row(12, *pieces).plain == "keep  later"
    assert saying.row(6, *pieces).plain == "keep"


@given(st.lists(st.tuples(st.text("abc", min_size=1, max_size=20), TEXTS)), st.integers(8, 120))
def test_facts_fit_and_empty_ones_are_left_out(known: list[tuple[str, str]], width: int) -> None:
    rows = saying.facts(known, width)
    assert all(row.cell_length <= width for row in rows)
    assert len(rows) >= sum(bool(value.strip()) for _, value in known)


def test_one_long_fact_does_not_fill_the_pane() -> None:
    rows = saying.facts([("name", "x" * 10_000), ("after", "it")], 40)
    assert len(rows) <= 13
    assert rows[-1].plain == "after  it"
