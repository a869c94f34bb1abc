"""Charts: never beyond their place, labels that are true, a log scale that is one."""

import itertools
import math

import a_status
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from fedtui.tui.glyphs import ASCII, BLOCK, BRAILLE, Glyphs
from fedtui.tui.widgets.chart import Chart, Plot, Series, draw, label

VALUES = st.lists(
    st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)), max_size=99
)
SETS = st.sampled_from([BRAILLE, BLOCK, ASCII])


@given(VALUES, VALUES, SETS, st.integers(0, 130), st.integers(0, 20), st.booleans())
def test_never_beyond_its_place(
    first: list[float | None],
    second: list[float | None],
    glyphs: Glyphs,
    width: int,
    height: int,
    is_log: bool,
) -> None:
    plot = Plot(
        series=(Series(tuple(first)), Series(tuple(second), "$global", is_dotted=True)),
        left="loss, 240 batches",
        right="now",
        is_log=is_log,
    )
    rows = draw(plot, width, height, glyphs)
    assert len(rows) <= max(0, height)
    assert all(row.cell_length <= max(width, len("no values yet")) for row in rows)


def test_labels_are_the_highest_and_the_lowest() -> None:
    rows = draw(Plot(series=(Series((2.5, 1.0, 0.25)),), left="loss", right="now"), 30, 5)
    assert rows[0].plain.startswith("2.50│")
    assert rows[-2].plain.startswith("0.25│")
    assert rows[-1].plain.startswith("    └loss")
    assert rows[-1].plain.endswith("now")


def test_fixed_bounds_hold() -> None:
    rows = draw(Plot(series=(Series((0.4, 0.6)),), low=0.0, high=1.0), 20, 4)
    assert rows[0].plain.startswith("1.00")
    assert rows[-2].plain.startswith("0.00")


def test_a_log_scale_makes_an_exponential_straight() -> None:
    values = tuple(10.0 ** (-place / 10) for place in range(40))
    rows = draw(Plot(series=(Series(values),), is_log=True), 45, 41, ASCII)
    tops = [next(y for y, row in enumerate(rows) if row.plain[5 + x] == "*") for x in range(40)]
    steps = {after - before for before, after in itertools.pairwise(tops)}
    assert steps == {1}
    assert (
        "(log)" in draw(Plot(series=(Series(values),), left="loss", is_log=True), 40, 5)[-1].plain
    )


def test_a_log_scale_needs_values_above_nought() -> None:
    rows = draw(Plot(series=(Series((0.0, 1.0)),), left="loss", is_log=True), 40, 5)
    assert "(log)" not in rows[-1].plain


def test_nothing_to_draw_says_so() -> None:
    assert [row.plain for row in draw(Plot(), 40, 5)] == ["no values yet"]
    assert draw(Plot(series=(Series((math.nan,)),)), 40, 5)[0].plain == "no values yet"


@pytest.mark.parametrize(
    ("value", "text"), [(0.3, "0.30"), (12.34, "12.3"), (240, "240"), (4e7, "4e7"), (2e-5, "2e-5")]
)
def test_labels_are_short(value: float, text: str) -> None:
    assert label(value) == text


class OneChart(App[None]):
    def compose(self) -> ComposeResult:
        yield Chart()


async def test_the_widget_draws_again_only_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    app = OneChart()
    async with app.run_test(size=(60, 10)) as pilot:
        chart = app.query_one(Chart)
        plot = Plot(series=(Series(a_status.losses()),), left="loss", right="now")
        chart.plot(plot)
        await pilot.pause()
        asked: list[int] = []
        monkeypatch.setattr(chart, "refresh", lambda *regions, **_: asked.append(len(regions)))
        chart.plot(plot)
        assert asked == []
        chart.plot(Plot(series=plot.series, left="loss", right="then"))
        assert asked == [1]
