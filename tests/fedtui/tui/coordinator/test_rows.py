import pytest
from fake_coordinator import BOARD, INVITES, NOW, node

from fedtui.status.coordinator import BoardSeen
from fedtui.tui.coordinator.rows import (
    invite_cells,
    invite_columns,
    node_cells,
    node_columns,
)
from fedtui.tui.coordinator.state import View, reduce
from fedtui.tui.glyphs import ASCII

VIEW = reduce(View(), BoardSeen(board=BOARD))
ALL = ("node", "phase", "age", "rtt", "up MB", "rounds", "late", "rej", "state")


def cells(**fields: object) -> dict[str, str]:
    columns = node_columns(200)
    row = node(1, "n", **fields)
    return dict(zip(ALL, (text for text, _ in node_cells(VIEW, row, columns)), strict=True))


@pytest.mark.parametrize("width", range(20, 160))
def test_columns_fit_and_the_name_stays(width: int) -> None:
    for columns in (node_columns(width), invite_columns(width)):
        assert sum(column.width + 1 for column in columns) <= max(width, 22)
        assert len(columns) >= 2
        assert columns[0].title in {"node", "invite"}


def test_what_goes_first() -> None:
    assert tuple(column.title for column in node_columns(74)) == ALL
    assert [c.title for c in node_columns(58)] == ["node", "phase", "age", "rounds", "state"]
    assert [c.title for c in node_columns(38)] == ["node", "phase", "state"]


def test_a_node_that_trains() -> None:
    found = cells(fraction=0.6, since=NOW - 75, round_trip_s=0.0123, counted=3, chosen=4, late=2)
    assert found == {
        "node": "n",
        "phase": "▶ train 60%",
        "age": "1:15",
        "rtt": "12ms",
        "up MB": "13.4",
        "rounds": "3/4",
        "late": "2",
        "rej": "0",
        "state": "ok",
    }


@pytest.mark.parametrize(
    ("fields", "phase", "state"),
    [
        ({"phase": "asks", "state": "pending"}, "! asks", "asks"),
        ({"phase": "lost"}, "✖ lost", "dropped"),
        ({"phase": "declined"}, "✖ declined", "declined"),
        ({"phase": "gone", "connected": False}, "✖ gone", "lost?"),
        ({"phase": "away", "connected": False}, "- away", "away"),
        ({"phase": "waiting", "role": "evaluator"}, "○ waiting", "evaluator"),
        ({"phase": "delivered"}, "✔ delivered", "ok"),
        ({"phase": "out", "state": "expelled", "connected": False}, "- out", "revoked"),
        ({"phase": "out", "state": "rotated", "connected": False}, "- out", "new key"),
    ],
)
def test_shapes_and_words(fields: dict[str, object], phase: str, state: str) -> None:
    found = cells(fraction=0.0, **fields)
    assert (found["phase"], found["state"]) == (phase, state)


def test_who_does_nothing_has_no_age_that_would_tick() -> None:
    assert cells(phase="waiting", since=NOW - 75)["age"] == "-"
    assert cells(phase="train", since=0.0)["age"] == "-"


def test_a_node_without_a_name_is_named_by_its_key() -> None:
    row = node(1, "")
    assert node_cells(VIEW, row, node_columns(74))[0][0] == "bk6l uzeo"


def test_other_signs() -> None:
    ascii_view = View(board=BOARD, glyphs=ASCII)
    columns = node_columns(74)
    assert node_cells(ascii_view, node(1, "n", fraction=0.0), columns)[1][0] == "> train"


def test_invites() -> None:
    columns = invite_columns(80)
    texts = [[text for text, _ in invite_cells(VIEW, one, columns)] for one in INVITES]
    assert texts == [
        ["ward-a", "open", "1", "10 h", "asks", "participant"],
        ["1" * 16, "spent", "0", "-", "at once", "evaluator"],
    ]
