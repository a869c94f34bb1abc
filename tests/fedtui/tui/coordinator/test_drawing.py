import pytest
from fake_coordinator import BOARD, INVITES, a_round
from msgspec.structs import replace
from textual.content import Content

from fedtui.status.coordinator import BoardSeen, InvitesSeen
from fedtui.tui.coordinator import drawing
from fedtui.tui.coordinator.keys import COMMANDS, Scene
from fedtui.tui.coordinator.state import Filtered, View, reduce
from fedtui.tui.glyphs import ASCII

VIEW = reduce(reduce(View(), BoardSeen(board=BOARD)), InvitesSeen(invites=INVITES))


@pytest.mark.parametrize("width", [10, 24, 38, 58, 74, 118])
def test_no_line_is_wider_than_its_pane(width: int) -> None:
    lines = [line for _, line in drawing.alarms(VIEW, width) + drawing.health(VIEW, width)]
    lines += [line for _, line in drawing.events(VIEW, width)]
    lines += [line for _, line in drawing.model(VIEW, width, 7)]
    assert max(line.cell_length for line in lines) <= width
    if width >= 38:
        for head, rows in (drawing.nodes(VIEW, width), drawing.invites(VIEW, width)):
            assert max(line.cell_length for line in (head, *(row for _, row in rows))) <= width


def test_each_line_is_about_its_node() -> None:
    _, lines = drawing.nodes(VIEW, 74)
    assert [name for name, _ in lines] == [row.fingerprint for row in VIEW.nodes]
    assert lines[0][1].plain.split()[:3] == ["birch", "!", "asks"]


def test_wide_letters_keep_the_columns() -> None:
    nodes = (replace(BOARD.nodes[1], label="診療所の" * 8), BOARD.nodes[3])
    view = reduce(View(), BoardSeen(board=replace(BOARD, nodes=nodes)))
    _, lines = drawing.nodes(view, 74)
    assert lines[0][1].cell_length == lines[1][1].cell_length


def test_an_empty_list_says_what_to_do() -> None:
    empty = reduce(View(), BoardSeen(board=replace(BOARD, nodes=())))
    assert "i makes an invite" in drawing.nodes(empty, 74)[1][0][1].plain
    filtered = reduce(VIEW, Filtered("nobody"))
    assert "Esc clears it" in drawing.nodes(filtered, 74)[1][0][1].plain
    assert drawing.nodes(View(), 74)[1][0][1].plain == "no answer yet"
    assert "i makes one" in drawing.invites(View(), 40)[1][0][1].plain


def test_the_curve_is_drawn_where_it_has_room() -> None:
    lines = [line.plain for _, line in drawing.model(VIEW, 42, 8)]
    assert lines[0].startswith("accuracy 0.924 (+0.007)  best 0.924 r11")
    assert lines[-1].strip().startswith("└round 1")
    assert lines[-1].endswith("11")
    assert len(lines) == 8
    assert len(drawing.model(VIEW, 42, 2)) == 1
    signs = reduce(View(glyphs=ASCII), BoardSeen(board=BOARD))
    assert all(line.plain.isascii() for _, line in drawing.model(signs, 42, 8))


def test_models_that_nobody_measured() -> None:
    board = replace(BOARD, rounds=(replace(a_round(1), score=None),))
    (line,) = drawing.model(reduce(View(), BoardSeen(board=board)), 40, 8)
    assert line[1].plain == "no model was measured yet"


def test_long_lines_go_on_indented() -> None:
    lines = drawing.wrapped([Content("maple dropped out of round 12: lost")], 16)
    assert [line.plain for _, line in lines] == ["maple dropped", "  out of round", "  12: lost"]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200])
def test_the_footer_keeps_detach(width: int) -> None:
    line = drawing.footer(Scene(VIEW), width)
    assert "q Detach" in line.plain
    assert line.cell_length <= max(width, 10)


def test_every_key_can_be_printed() -> None:
    shown = [drawing.key_shown(key) for command in COMMANDS for key in command.keys]
    assert all(len(text) <= 6 and "_" not in text for text in shown)


def test_the_title_says_if_not_all_nodes_are_shown() -> None:
    assert drawing.nodes_title(VIEW) == "Nodes"
    many = reduce(View(), BoardSeen(board=replace(BOARD, num_nodes=1200)))
    assert drawing.nodes_title(many) == "Nodes: 8 of 1200"
