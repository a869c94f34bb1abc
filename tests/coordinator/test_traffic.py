from coordinator.traffic import Moved, Traffic
from fedtui.wire.tally import Tally


def tally(up: int, down: int) -> Tally:
    made = Tally()
    made.received.num_data, made.sent.num_ctrl = up, down
    return made


def test_sessions_that_are_over_count_with_those_that_live() -> None:
    traffic = Traffic()
    traffic.ended(b"a", tally(10, 1))
    traffic.ended(b"a", tally(5, 0))
    traffic.ended(b"b", tally(100, 100))
    living = tally(3, 4)
    assert traffic.of(b"a", living) == Moved(18, 5)
    assert traffic.of(b"a", None) == Moved(15, 1)
    assert traffic.of(b"c", None) == Moved(0, 0)
    assert traffic.total([living]) == Moved(118, 105)
