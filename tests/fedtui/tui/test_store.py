"""The store remembers every line once, coalesces, freezes, and forgets nothing that is held."""

import a_status
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fedtui.status import Logged, LogLine, NodeStatus, reduce
from fedtui.tui.glyphs import ASCII, BRAILLE
from fedtui.tui.store import KEPT_LINES, Store
from fedtui.tui.washing import Washer


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def line(number: int) -> LogLine:
    return LogLine(at=float(number), level="info", text=f"news {number}")


@given(st.integers(0, 90), st.integers(0, 90))
def test_every_line_is_kept_once_and_in_order(before: int, after: int) -> None:
    store, status = Store(clock=Clock(), glyphs=BRAILLE), NodeStatus()
    for number in range(before, before + after):
        status = reduce(status, Logged(seq=status.seq + 1, line=line(number)))
        store.heard(status)
    store.remember([line(number) for number in range(before + after)], [])
    assert list(store.log) == [line(number) for number in range(before + after)]


def test_what_is_kept_is_bounded() -> None:
    store = Store(clock=Clock(), glyphs=BRAILLE)
    for number in range(KEPT_LINES + 50):
        store.heard(NodeStatus(log=(line(number),)))
    assert len(store.log) == KEPT_LINES
    assert store.log[-1] == line(KEPT_LINES + 49)


def test_a_frozen_view_stands_still_while_data_flows_on() -> None:
    clock = Clock()
    store = Store(clock=clock, glyphs=BRAILLE)
    store.heard(a_status.normal())
    assert store.freeze()
    clock.now = 112.0
    store.heard(replace(a_status.normal(), sentence="newer"))
    still = store.view()
    assert still.status.sentence != "newer"
    assert still.frozen_at == 100.0
    assert store.live.status.sentence == "newer"
    assert not store.freeze()
    assert store.view().status.sentence == "newer"
    assert store.view().frozen_at is None


def test_a_node_that_is_lost_is_dated_and_comes_back() -> None:
    clock = Clock()
    store = Store(clock=clock, glyphs=BRAILLE)
    store.lost()
    clock.now = 105.0
    store.lost()
    assert store.view().lost_at == 100.0
    store.heard(a_status.normal())
    assert store.view().lost_at is None


def test_hostile_texts_are_harmless_before_anybody_sees_them() -> None:
    store = Store(clock=Clock(), glyphs=BRAILLE)
    store.heard(a_status.hostile())
    assert "\x1b" not in repr(store.view().status)
    store.remember([LogLine(at=0.0, level="info", text="\x1b]52;c;ZXZpbA==\x07")], [])
    assert "\x1b" not in store.log[0].text


def test_signs_and_scale_can_be_changed() -> None:
    store = Store(clock=Clock(), glyphs=BRAILLE)
    store.draw_with(glyphs=ASCII, log_scale=True)
    assert store.view().glyphs is ASCII
    assert store.view().log_scale


def test_what_nobody_looks_at_is_not_washed(monkeypatch: pytest.MonkeyPatch) -> None:
    store, washed = Store(clock=Clock(), glyphs=BRAILLE), list[NodeStatus]()
    wash = Washer.wash

    def counted(washer: Washer, status: NodeStatus) -> NodeStatus:
        washed.append(status)
        return wash(washer, status)

    monkeypatch.setattr(Washer, "wash", counted)
    for number in range(100):
        store.heard(replace(a_status.normal(), sentence=f"batch {number}"))
    assert store.view().status.sentence == "batch 99"
    assert store.view() is not None
    assert store.live.status.sentence == "batch 99"
    assert len(washed) == 1


def test_a_hostile_line_is_kept_once_though_it_is_kept_washed() -> None:
    store = Store(clock=Clock(), glyphs=BRAILLE)
    hostile = LogLine(at=1.0, level="info", text="\x1b[2Jnews")
    store.heard(NodeStatus(log=(hostile,)))
    store.heard(NodeStatus(log=(hostile, line(2))))
    assert len(store.log) == 2
    assert "\x1b" not in store.log[0].text
