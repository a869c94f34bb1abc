"""Columns against a naive reference; dots stay on the grid and touch; cells fill it exactly."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.tui.glyphs import ASCII, BLOCK, BRAILLE, Glyphs
from fedtui.tui.widgets import plotting
from fedtui.tui.widgets.plotting import Grid

VALUES = st.lists(
    st.one_of(st.none(), st.floats(-1e6, 1e6), st.just(math.nan), st.just(math.inf)), max_size=300
)
SETS = st.sampled_from([BRAILLE, BLOCK, ASCII])


def naive(values: list[float | None], width: int) -> list[plotting.Column | None]:
    """The definition, bucket by bucket."""
    made: list[plotting.Column | None] = []
    for column in range(width):
        own = [
            value
            for place, value in enumerate(values)
            if place * width // len(values) == column
            and value is not None
            and math.isfinite(value)
        ]
        made.append((min(own), max(own)) if own else None)
    return made


@given(VALUES, st.integers(1, 80))
def test_columns_hold_the_lowest_and_highest_of_their_values(
    values: list[float | None], width: int
) -> None:
    found = plotting.columns(values, width)
    assert len(found) == width
    if len(values) >= width:
        assert found == naive(values, width)


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=20), st.integers(20, 200))
def test_few_values_are_joined_without_a_gap(values: list[float], width: int) -> None:
    found = plotting.columns(values, width)
    assert None not in found
    assert found[0] == (values[0], values[0])
    assert found[-1] == (values[-1], values[-1])
    span = (min(values), max(values))
    assert all(span[0] - 1e-9 <= one[0] <= span[1] + 1e-9 for one in found if one)


def test_a_spike_is_never_averaged_away() -> None:
    values = [0.0] * 500 + [9.0] + [0.0] * 500
    assert max(one[1] for one in plotting.columns(values, 40) if one) == 9.0


@given(VALUES, SETS, st.integers(1, 60), st.integers(1, 20))
def test_dots_are_on_the_grid_and_neighbours_touch(
    values: list[float | None], glyphs: Glyphs, width: int, height: int
) -> None:
    grid = Grid.of(width, height, glyphs)
    shape = plotting.columns(values, grid.dots_x)
    span = plotting.bounds([shape])
    if span is None:
        assert not any(shape)
        return
    points = plotting.dots(shape, span, grid)
    assert all(0 <= x < grid.dots_x and 0 <= y < grid.dots_y for x, y in points)
    by_column: dict[int, list[int]] = {}
    for x, y in points:
        by_column.setdefault(x, []).append(y)
    assert set(by_column) == {x for x, one in enumerate(shape) if one is not None}
    for x, rows in by_column.items():
        assert sorted(rows) == list(range(min(rows), max(rows) + 1))
        if x + 1 in by_column:
            after = by_column[x + 1]
            assert min(after) <= max(rows) + 1
            assert max(after) >= min(rows) - 1


@given(VALUES, SETS, st.integers(1, 60), st.integers(1, 20))
def test_cells_fill_the_grid_exactly(
    values: list[float | None], glyphs: Glyphs, width: int, height: int
) -> None:
    grid = Grid.of(width, height, glyphs)
    shape = plotting.columns(values, grid.dots_x)
    points = plotting.dots(shape, plotting.bounds([shape]) or (0.0, 1.0), grid)
    rows = plotting.cells([(points, "$mine"), (points[::2], "$global")], grid, glyphs)
    assert [row.cell_length for row in rows] == [width] * height
    assert sum(len(row.plain.replace(" ", "")) for row in rows) == len(
        {(x // grid.across, y // grid.down) for x, y in points}
    )


@pytest.mark.parametrize(
    ("dot", "sign"), [((0, 0), "⠁"), ((1, 0), "⠈"), ((0, 3), "⡀"), ((1, 3), "⢀"), ((1, 2), "⠠")]
)
def test_braille_dots_are_where_unicode_has_them(dot: tuple[int, int], sign: str) -> None:
    row = plotting.cells([([dot], "$mine")], Grid.of(1, 1, BRAILLE), BRAILLE)[0]
    assert row.plain == sign


def test_two_series_differ_in_shape_where_there_is_no_colour() -> None:
    grid = Grid.of(10, 1, ASCII)
    line = [(x, 0) for x in range(5)]
    second = plotting.dotted([(x, 0) for x in range(5, 10)], grid)
    row = plotting.cells([(line, "$mine"), (second, "$global")], grid, ASCII)[0]
    assert row.plain == "***** o o "
