"""The board numbers every change and can say what somebody missed."""

import pytest

from fedtui import status
from fedtui.status import NodeStatus
from node.board import KEPT_EVENTS, MIN_INTERVAL_S, Board


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_listeners_rebuild_the_status_from_events() -> None:
    board = Board(NodeStatus(), clock=Clock())
    mirror = board.status
    heard: list[status.Event] = []
    unlisten = board.listen(heard.append)
    board.state("waiting", "a")
    board.log("info", "b")
    board.problem("c", remedy="d", code=4001)
    board.solved()
    for event in heard:
        mirror = status.reduce(mirror, event)
    assert mirror == board.status
    assert [event.seq for event in heard] == [1, 2, 3, 4]
    unlisten()
    board.log("info", "e")
    assert len(heard) == 4


def test_what_was_said_already_is_not_said_again() -> None:
    board = Board(NodeStatus(), clock=Clock())
    board.state("waiting", "a")
    board.state("waiting", "a")
    board.solved()
    assert board.status.seq == 1


def test_since_gives_all_that_was_missed_or_none() -> None:
    board = Board(NodeStatus(), clock=Clock())
    for number in range(KEPT_EVENTS + 10):
        board.log("info", str(number))
    newest = board.status.seq
    assert board.since(newest) == ()
    assert [event.seq for event in board.since(newest - 3) or ()] == [
        newest - 2,
        newest - 1,
        newest,
    ]
    assert board.since(5) is None, "no longer all here"
    assert board.since(newest + 1) is None, "of another life"


@pytest.mark.parametrize(("passed_s", "told"), [(0.0, 1), (MIN_INTERVAL_S, 2)])
def test_quick_events_are_told_now_and_then(passed_s: float, told: int) -> None:
    clock = Clock()
    board = Board(NodeStatus(), clock=clock)
    said = [board.post_quick(status.TrainingMoved(training=status.Training(fraction=0.1)))]
    clock.now += passed_s
    said.append(board.post_quick(status.TrainingMoved(training=status.Training(fraction=0.2))))
    said.append(board.post_quick(status.TrainingMoved(training=status.Training(fraction=0.3))))
    assert board.status.seq == told == sum(said)


def test_an_alarm_is_shown_once_and_stays() -> None:
    clock = Clock()
    board = Board(NodeStatus(), clock=clock)
    board.alarm("disk", "the ledger cannot be written", remedy="free some space", detail=("a",))
    board.alarm("disk", "the ledger cannot be written")
    clock.now += 11
    board.alarm("disk", "again")
    assert [(one.id, one.text) for one in board.status.alarms] == [
        (1, "the ledger cannot be written"),
        (2, "again"),
    ]
    assert board.status.alarms[0].detail == ("a",)


def test_a_line_says_what_it_is_about() -> None:
    board = Board(NodeStatus(), clock=Clock())
    board.log("ok", "round 3 counted", "round")
    assert (board.status.log[-1].level, board.status.log[-1].source) == ("ok", "round")


def test_a_log_listens_but_does_not_watch() -> None:
    board = Board(NodeStatus(), clock=Clock())
    board.listen(lambda _: None, watches=False)
    assert not board.is_watched
    unlisten = board.listen(lambda _: None)
    assert board.is_watched
    unlisten()
    assert not board.is_watched
