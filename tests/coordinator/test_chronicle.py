import pytest
from test_report import federation, finished

from coordinator import chronicle as chronicle_module
from coordinator.chronicle import Chronicle, Followers
from coordinator.metrics import Metrics
from coordinator.roster import Roster
from coordinator.savings import Savings
from fedtui.crypto.keys import short_id
from fedtui.rounds.machine import Joined, Left, Said, Tick
from fedtui.rounds.records import (
    Evaluated,
    FederationEnded,
    FederationPaused,
    RoundFailed,
    RoundFinished,
    RoundStarted,
    UpdateReceived,
)
from fedtui.wire.messages import Progress

NODE = b"n" * 32


class Desk:
    def __init__(self) -> None:
        self.bytes = (0, 0)
        self.metrics = Metrics()
        self.chronicle = Chronicle(
            federation(finished(0, None), finished(1, 0.5)),
            Roster(),
            self.metrics,
            lambda: 7.0,
            lambda: self.bytes,
            Savings(40),
        )
        self.queue = self.chronicle.followers.join()

    def heard(self) -> list[dict[str, object]]:
        found = []
        while not self.queue.empty():
            line = self.queue.get_nowait()
            assert line is not None
            found.append(line)
        return found


def started(round_: int, attempt: int = 1) -> RoundStarted:
    return RoundStarted(
        round_,
        attempt,
        phase="INVITING",
        model_digest=bytes(32),
        cohort=(NODE,),
        deadline=0.0,
        incarnation=1,
    )


def test_what_a_shorter_update_spares_is_counted() -> None:
    desk = Desk()
    for num_bytes in (40, 12, 41):
        sent = UpdateReceived(
            1, 1, node=NODE, digest=bytes(32), num_bytes=num_bytes, weight=None, sums={}
        )
        desk.chronicle.committed([sent])
    assert desk.chronicle.savings.saved == (28, 0)


def test_the_bytes_of_a_round_last_until_the_next_one_begins() -> None:
    desk = Desk()
    desk.bytes = (100, 100)  # joining
    desk.chronicle.committed([started(1)])
    desk.bytes = (150, 130)
    desk.chronicle.committed([started(1, attempt=2)])
    assert desk.chronicle.bytes_of_rounds() == {1: (50, 30)}
    desk.bytes = (160, 190)  # the evaluation after it
    desk.chronicle.committed([started(2)])
    desk.bytes = (161, 192)
    assert desk.chronicle.bytes_of_rounds() == {1: (60, 90), 2: (1, 2)}
    desk.chronicle.committed([FederationEnded(reason="done", result_round=2)])
    desk.bytes = (500, 500)
    assert desk.chronicle.bytes_of_rounds() == {1: (60, 90), 2: (1, 2)}


def test_bytes_are_told_when_a_round_is_finished_and_when_it_is_measured() -> None:
    desk = Desk()
    finish = RoundFinished(
        1, 1, model_digest=bytes(32), checkpoint_name="m", sums={}, seconds=2.0, num_bytes=8
    )
    score = Evaluated(round=1, model_digest=bytes(32), sums={}, score=0.5, num_nodes=2)
    desk.bytes = (100, 100)
    desk.chronicle.committed([score, started(1)])
    desk.bytes = (150, 130)
    desk.chronicle.committed([finish])
    desk.bytes = (160, 190)
    desk.chronicle.committed([score])
    moved = [(line.get("bytes_up"), line.get("bytes_down")) for line in desk.heard()]
    assert moved == [(None, None), (None, None), (50, 30), (60, 90)]


def test_records_and_events_become_lines() -> None:
    desk = Desk()
    finish = RoundFinished(
        1, 1, model_digest=bytes(32), checkpoint_name="m", sums={}, seconds=2.0, num_bytes=8
    )
    score = Evaluated(round=1, model_digest=bytes(32), sums={}, score=0.5, num_nodes=2)
    desk.chronicle.committed(
        [started(1), finish, score, RoundFailed(2, 1, cause="too few"), FederationPaused()]
    )
    progress = Progress(incarnation=1, round=1, attempt=1, stage="train", fraction=0.5)
    desk.chronicle.handled([Joined(NODE, "participant"), Said(NODE, progress), Left(NODE), Tick()])
    lines = desk.heard()
    assert [line["event"] for line in lines] == [
        "round started",
        "round finished",
        "scored",
        "round failed",
        "alarm",
        "paused",
        "joined",
        "progress",
        "left",
        "phase",
    ]
    assert all(line["ts"] == 7.0 for line in lines)
    assert (lines[1]["participants"], lines[1]["dropped"]) == (2, 1)
    assert lines[1]["lost"] == [f"node {short_id(b'c')}"]
    assert lines[7]["fraction"] == 0.5
    (alarm,) = desk.chronicle.alarms.newest
    assert (alarm.number, alarm.at, alarm.text) == (1, 7.0, "round 2 failed: too few")
    assert lines[4]["text"] == alarm.text
    assert NODE.hex() not in str(lines)
    text = desk.metrics.exposition().decode()
    assert 'fedtui_rounds_total{outcome="finished"} 1.0' in text
    assert 'fedtui_rounds_total{outcome="failed"} 1.0' in text
    assert "fedtui_dropouts_total 1.0" in text


def test_a_follower_that_does_not_read_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chronicle_module, "MAX_WAITING", 3)
    followers = Followers()
    slow = followers.join()
    for number in range(10):
        followers.tell({"event": number})
    found = [slow.get_nowait() for _ in range(3)]
    assert found == [{"event": 1}, {"event": 2}, None]
    quick = followers.join()
    followers.end()
    assert quick.get_nowait() is None
