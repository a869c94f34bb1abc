import pytest
from fake_coordinator import BOARD, NODES
from msgspec.structs import replace

from fedtui.status.coordinator import BoardSeen, ConnectionLost
from fedtui.tui.coordinator.heading import banner, identity_line, status_line
from fedtui.tui.coordinator.state import Filtered, View, reduce
from fedtui.tui.lines import fit

QUIET = replace(BOARD, nodes=NODES[1:], pending=0)


def view(board: object = BOARD, *events: object) -> View:
    made = reduce(View(), BoardSeen(board=board))
    for event in events:
        made = reduce(made, event)
    return made


def told(found: View) -> str:
    line = banner(found)
    return "" if line is None else line.plain.strip()


def test_the_state_comes_first_and_stays_longest() -> None:
    pieces = status_line(view())
    assert fit(pieces, 200).plain == (
        "COORD  mnist-clinics  ● TRAINING  round 12/50  !2  1 asks to join  deadline 0:46  "
        "7 here (need 5)  accuracy 0.924  digits"
    )
    assert fit(pieces, 48).plain == "mnist-clinics  ● TRAINING  !2  1 asks to join"


def test_who_can_read_updates_is_always_said_if_it_is_the_coordinator() -> None:
    visible = view(replace(BOARD, masked=False))
    assert "VISIBLE to this coordinator" in fit(identity_line(visible), 80).plain
    assert "words: amber fjord" in fit(identity_line(view()), 80).plain


def test_nothing_wrong_no_banner() -> None:
    assert told(view(QUIET)) == ""
    assert banner(View()) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"degraded": "the disk is full"}, "nothing can be written: the disk is full"),
        ({"ended": "target reached"}, "over: target reached"),
        ({"paused": True, "state": "paused"}, "paused: P goes on"),
        ({"paused": True}, "no new round begins after this one: P goes on"),
    ],
)
def test_what_the_banner_says(changes: dict[str, object], words: str) -> None:
    assert told(view(replace(QUIET, **changes))).startswith(words)


def test_the_banner_of_who_asks_has_the_words_and_the_keys() -> None:
    assert told(view()).startswith("asks to join: birch  amber fjord lemon quartz violin zebra")
    assert told(view()).endswith("a approve  r reject")


def test_a_lost_connection_says_from_when_the_numbers_are() -> None:
    lost = view(BOARD, ConnectionLost(at=1.0, text="the coordinator stopped"))
    assert told(lost).startswith("connection lost; numbers are from ")
    assert "reattaching..." in told(lost)
    assert "◌ TRAINING" in fit(status_line(lost), 200).plain


def test_a_filter_is_not_forgotten() -> None:
    assert told(view(QUIET, Filtered("oak"))).startswith("filter: oak")


def test_hostile_names_are_only_drawn() -> None:
    evil = replace(NODES[0], label="\x1b[2J[red]\u202eevil[/red]", words=())
    line = banner(view(replace(BOARD, nodes=(evil,), federation="\x1b]0;x\x07name")))
    assert line is not None
    assert "\x1b" not in line.plain
    assert "\u202e" not in line.plain
    assert "[red]" in line.plain, "markup is text"
    named = status_line(view(replace(BOARD, federation="\x1b]0;x\x07name")))
    assert "\x1b" not in fit(named, 200).plain
