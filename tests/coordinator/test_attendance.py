"""Where nodes stand, from the federation's own machine; see also test_board.py."""

from pathlib import Path

import pytest
from test_report import TEXT, federation, finished

from coordinator.alarms import Alarms
from coordinator.attendance import Attendance, owing_now
from fedtui import tomlfile
from fedtui.rounds.cohort import ENOUGH
from fedtui.rounds.machine import Joined, Left, Said, Tick
from fedtui.rounds.plan import Plan
from fedtui.wire.messages import Accepting, Away, Declining, Progress

A, B, C = (bytes([n]) * 32 for n in (1, 2, 3))
WHICH = {"incarnation": 4, "round": 2, "attempt": 1}
PLAN = tomlfile.parse(
    TEXT.replace("[rounds]", "[rounds]\nstart_with = 3"), Plan, path=Path("plan.toml")
)


class Desk:
    def __init__(self) -> None:
        self.now = 100.0
        self.federation = federation(finished(0, None), finished(1, 0.5), plan=PLAN)
        self.alarms = Alarms(lambda: self.now, lambda _: None)
        self.attendance = Attendance(
            self.federation, lambda: self.now, self.alarms, lambda node: f"n{node[0]}"
        )
        self.federation.start(self.now)

    def put(self, *events: object) -> None:
        for event in events:
            self.federation.handle(event, self.now)
        self.attendance.handled(events)

    def phases(self, *nodes: bytes) -> list[str]:
        return [self.attendance.phase_of(node)[0] for node in nodes]


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    made.put(*(Joined(node, "participant") for node in (A, B, C)))
    return made


def test_rounds_of_earlier_lives_count() -> None:
    attendance = Desk().attendance
    assert attendance.chosen == {b"a": 2, b"b": 2, b"c": 2}
    assert attendance.counted == {b"a": 2, b"b": 2}
    assert attendance.late == {}


def test_a_node_is_followed_through_the_round(desk: Desk) -> None:
    assert desk.federation.attempt is not None
    members = [*desk.federation.attempt.members]
    (one, two) = members[:2]
    assert desk.phases(one) == ["asked"]
    assert desk.attendance.since(one) == 100.0
    desk.now = 103.0
    desk.put(Said(one, Accepting(**WHICH)))
    assert (desk.phases(one), desk.attendance.since(one)) == (["train"], 103.0)
    assert (desk.phases(two), desk.attendance.since(two)) == (["asked"], 100.0)
    desk.now = 104.0
    desk.put(Said(one, Progress(**WHICH, stage="train", fraction=0.5)))
    assert desk.attendance.phase_of(one) == ("train", "", 0.5)
    assert desk.attendance.since(one) == 103.0, "it still does the same"
    desk.put(Left(one))
    assert desk.phases(one) == ["gone"]
    assert one in owing_now(desk.federation)


def test_whoever_drops_out_is_told_once_with_the_reason(desk: Desk) -> None:
    assert desk.federation.attempt is not None
    (one, two) = [*desk.federation.attempt.members][:2]
    desk.put(Said(one, Declining(**WHICH, reason="on battery")))
    desk.put(Tick())
    texts = [alarm.text for alarm in desk.alarms.newest]
    assert texts == [f"n{one[0]} dropped out of round 2: on battery"]
    assert desk.attendance.late[one] == 0
    desk.now = 10_000.0  # past every deadline: all others are late, the attempt is over
    desk.put(Tick())
    assert desk.attendance.late[two] == 1
    assert desk.attendance.attempts_failed == 1
    assert sum("dropped out" in alarm.text for alarm in desk.alarms.newest) == 2


def test_that_who_was_not_needed_any_more_did_not_drop_out(desk: Desk) -> None:
    attempt = desk.federation.attempt
    attempt._cohort.lose(next(iter(attempt.members)), ENOUGH)
    desk.put(Tick())
    assert [*desk.alarms.newest] == []


def test_who_is_away_paused_or_idle(desk: Desk) -> None:
    desk.put(Left(A, for_good=True), Said(B, Away(away=True)))
    outsider = bytes([9]) * 32
    desk.put(Joined(outsider, "observer"))
    assert desk.phases(outsider, bytes(32)) == ["waiting", "away"]
