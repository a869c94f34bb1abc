from fake_coordinator import BOARD, EVENTS, NODES
from msgspec.structs import replace

from fedtui.status.coordinator import Alarm, BoardSeen, Epsilons, Happened, Health
from fedtui.tui.coordinator import panes
from fedtui.tui.coordinator.state import Acknowledged, View, reduce

VIEW = reduce(View(), BoardSeen(board=BOARD))
VISIBLE = reduce(View(), BoardSeen(board=replace(BOARD, masked=False)))


def text(lines: list[object]) -> str:
    return "\n".join(line.plain for line in lines)  # type: ignore[attr-defined]


def test_health_says_who_is_awaited_and_what_the_masks_need() -> None:
    said = text(panes.health(VIEW))
    assert said.startswith("round 12: 1 of 3 nodes are ready, 0:46 left")
    assert "awaits    alder-ws, rowan-lab" in said
    assert "collusion 1 together learn nothing" in said
    assert "masks     1/4 keys, can lose 1, needs 3" in said
    assert "rounds    p50 1:01  p99 1:06  19.7 MB" in said
    assert "failed 1  late 4  refused 1" in said


def test_health_says_what_did_not_have_to_travel() -> None:
    assert "saved" not in text(panes.health(VIEW))
    board = replace(BOARD, saved_up=1_500_000, saved_down=2_000)
    said = text(panes.health(reduce(View(), BoardSeen(board=board))))
    assert "saved     1.5 MB up, 2.0 kB down (this life)" in said


def test_health_says_what_was_spent() -> None:
    assert "spent" not in text(panes.health(VIEW))
    spent = Epsilons(round=3, delta=0.01, guaranteed=2.0, realised=1.5)
    board = replace(BOARD, spent=spent)
    said = text(panes.health(reduce(View(), BoardSeen(board=board))))
    assert "spent     epsilon 2 guaranteed, 1.5 realised, by round 3 at delta 0.01" in said


def test_many_awaited_are_counted() -> None:
    health = Health(awaited=("a", "b"), num_awaited=40, cohort=41, answered=1)
    said = text(panes.health(reduce(View(), BoardSeen(board=replace(BOARD, health=health)))))
    assert "awaits    a, b and 38 more" in said
    assert "updates   1 of 41 are here" in said


def test_what_masks_hide_reads_hidden_by_design() -> None:
    assert "one node  loss, update: hidden by design" in text(panes.health(VIEW))
    assert "visible here" in text(panes.health(VISIBLE))
    row = replace(NODES[1], weight=None)
    assert text(panes.details(VIEW, row)).count("hidden by design") == 3
    assert "hidden" not in text(panes.details(VISIBLE, row))
    looks = replace(row, length=1.25, cosine=-0.5)
    assert "update    length 1.25, -0.50 along the median" in text(panes.details(VISIBLE, looks))
    assert "weight    6,016" in text(panes.details(VISIBLE, replace(row, weight=6016.0)))


def test_alarms_are_newest_first_and_lose_their_sign_when_seen() -> None:
    first, second = panes.alarms(VIEW)
    assert "maple dropped out" in first.plain
    assert first.plain.startswith("! ")
    assert "round 9 failed" in second.plain
    seen = reduce(VIEW, Acknowledged())
    assert all(line.plain.startswith("· ") for line in panes.alarms(seen))
    calm = reduce(View(), BoardSeen(board=replace(BOARD, alarms=())))
    assert text(panes.alarms(calm)) == "none"


def test_events_have_a_shape_for_their_level() -> None:
    view = VIEW
    for event in EVENTS:
        view = reduce(view, event)
    shapes = [line.plain[9] for line in panes.events(view)]
    assert shapes == ["✔", "✔", "!", "·", "✖"]
    assert text(panes.events(View())) == "nothing yet"


def test_what_strangers_wrote_is_only_drawn() -> None:
    evil = "\x1b[31m[bold]x\u202e\n\t"
    board = replace(
        BOARD,
        text=evil,
        alarms=(Alarm(number=1, at=0.0, kind="x", text=evil),),
        health=replace(BOARD.health, awaited=(evil,), failures=(evil,)),
    )
    view = reduce(View(), BoardSeen(board=board))
    view = reduce(view, Happened(at=0.0, level="info", source="x", text=evil))
    row = replace(NODES[1], label=evil, reason=evil, address=evil)
    drawn = (panes.health(view), panes.alarms(view), panes.events(view), panes.details(view, row))
    for lines in drawn:
        for line in lines:
            assert not {"\x1b", "\u202e", "\n", "\t"} & set(line.plain)
    assert "[bold]" in text(panes.health(view)), "markup is text"


def test_how_unequal_the_last_weights_were_is_told_where_they_are_seen() -> None:
    assert "weights" not in text(panes.health(VIEW))
    last = replace(BOARD.rounds[-1], smallest=0.1, median=0.2, largest=0.7, alike=1.9)
    board = replace(BOARD, masked=False, rounds=(*BOARD.rounds[:-1], last))
    said = text(panes.health(reduce(View(), BoardSeen(board=board))))
    assert f"weights   10% to 70% of the sum, as 1.9 of {last.participants} equal nodes" in said
