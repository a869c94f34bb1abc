"""The timeline at every width fits, keeps what matters, and says more where there is room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.tui.glyphs import ASCII, BLOCK, BRAILLE, Glyphs
from fedtui.tui.widgets.timeline import Phase, at, draw

NAMES = ("selected", "download", "train", "mask", "upload", "unmask", "aggregated")
SHORT = ("sel", "down", "train", "mask", "up", "unmask", "agg")
STATES = ("done", "done", "now", "waiting", "waiting", "waiting", "waiting")
NOTES = ("0.1 s", "1.2 MB 0.8 s", "0:14/0:22", "", "", "", "")


def phases(states: tuple[str, ...] = STATES) -> list[Phase]:
    return [
        Phase(name=name, short=short, state=state, note=note)  # type: ignore[arg-type]
        for name, short, state, note in zip(NAMES, SHORT, states, NOTES, strict=True)
    ]


@pytest.mark.parametrize("glyphs", [BRAILLE, BLOCK, ASCII], ids=lambda one: one.name)
@pytest.mark.parametrize("width", range(20, 161))
def test_at_every_width_it_fits_and_shows_the_phase_under_way(width: int, glyphs: Glyphs) -> None:
    rows = draw(phases(), width, glyphs)
    assert 1 <= len(rows) <= 2
    assert all(row.cell_length <= width for row in rows)
    assert f"{glyphs.steps['now']} " in rows[0].plain
    assert "train" in rows[0].plain.lower()


def test_wide_has_full_names_durations_and_bytes() -> None:
    row, notes = draw(phases(), 116, BRAILLE)
    assert row.plain.startswith("✔ selected ──── ✔ download ──── ▶ train ")
    assert row.plain.rstrip().endswith("○ aggregated")
    assert notes.plain.index("1.2 MB 0.8 s") == row.plain.index("download")
    assert "0:14/0:22" in notes.plain


def test_narrow_has_short_names_and_shouts_the_phase_under_way() -> None:
    (row,) = draw(phases(), 76, BRAILLE)
    assert [part for part in row.plain.replace("─", "").split() if part.isalpha()] == [
        "sel",
        "down",
        "TRAIN",
        "mask",
        "up",
        "unmask",
        "agg",
    ]


def test_tiny_has_the_one_phase_and_its_place() -> None:
    (row,) = draw(phases(), 36, BRAILLE)
    assert row.plain == "▶ 3/7 train 0:14/0:22"


@given(
    st.lists(
        st.sampled_from(["waiting", "now", "done", "failed", "skipped"]), min_size=7, max_size=7
    ),
    st.integers(1, 200),
)
def test_any_states_fit_any_width(states: list[str], width: int) -> None:
    rows = draw(phases(tuple(states)), width, BRAILLE)
    assert all(row.cell_length <= width for row in rows)


@pytest.mark.parametrize(
    ("states", "place"),
    [
        (STATES, 2),
        (("done", "failed", *("waiting",) * 5), 1),
        (("done", "done", *("waiting",) * 5), 1),
        (("waiting",) * 7, 0),
    ],
)
def test_the_phase_that_matters(states: tuple[str, ...], place: int) -> None:
    assert at(phases(states)) == place
