"""What scripts read must stay readable: fields may be added, never renamed."""

import msgspec

from coordinator.answers import Status
from fedtui.status.coordinator import RoundLine


def test_the_fields_that_demo_and_benchmarks_read() -> None:
    assert {"round", "seconds", "score", "participants", "dropped", "bytes_up", "bytes_down"} <= {
        *RoundLine.__struct_fields__
    }
    assert {"running", "state", "text", "metric", "target", "ended", "best", "rounds"} <= {
        *Status.__struct_fields__
    }


def test_a_newer_coordinator_may_say_more() -> None:
    line = RoundLine(
        round=1,
        attempt=1,
        seconds=1.0,
        score=None,
        participants=2,
        dropped=0,
        bytes_up=None,
        bytes_down=None,
        model="ab",
    )
    more = {**msgspec.to_builtins(line), "news": 1}
    assert msgspec.convert(more, RoundLine) == line
