"""The three lines fit wherever they are, keep what matters most, and say what the ledger says."""

import a_status
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fedtui.status import LedgerLine, NodeStatus, Problem
from fedtui.tui import lines
from fedtui.tui.lines import Piece, fit
from fedtui.tui.view import View

PIECES = st.lists(
    st.builds(Piece, text=st.text(max_size=12), rank=st.integers(0, 5)), min_size=1, max_size=8
)


def of(status: NodeStatus) -> View:
    return View(status=status, now=a_status.NOW, heard_at=a_status.NOW)


@given(PIECES, st.integers(1, 80))
def test_a_line_never_exceeds_its_width(pieces: list[Piece], width: int) -> None:
    assert fit(pieces, width).cell_length <= width


@given(st.integers(22, 160))
def test_state_and_pin_stay_longest(width: int) -> None:
    view = of(a_status.normal())
    assert "TRAINING" in fit(lines.status_line(view), width).plain
    assert "pinned" in fit(lines.identity_line(view), max(width, 32)).plain


def test_offline_is_a_shape_and_a_word() -> None:
    first = fit(lines.status_line(of(a_status.offline())), 120).plain
    assert "◌" in first
    assert "OFFLINE" in first
    assert "not connected" in fit(lines.identity_line(of(a_status.offline())), 160).plain


def test_alarms_are_counted_until_they_are_acknowledged() -> None:
    status = a_status.alarm()
    waiting = sum(not one.acknowledged for one in status.alarms)
    assert f"!{waiting}" in fit(lines.status_line(of(status)), 120).plain
    seen = replace(status, alarms=tuple(replace(a, acknowledged=True) for a in status.alarms))
    assert "!" not in fit(lines.status_line(of(seen)), 120).plain


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ("masked: the coordinator can read sums of nodes only", "masked"),
        ("visible to the coordinator", "VISIBLE"),
        ("who knows", "VISIBLE"),
    ],
)
def test_what_leaves_is_what_the_ledger_says(form: str, says: str) -> None:
    entry = LedgerLine(
        at=1.0,
        round=99,
        attempt=1,
        what="update (cohort of 4, 3 needed)",
        num_bytes=9000,
        form=form,
        receiver="c",
    )
    line = fit(lines.egress_line(of(replace(a_status.normal(), ledger=(entry,)))), 120).plain
    assert says in line
    assert "update 9.0 kB" in line


def test_nothing_leaves_before_a_federation_and_before_consent() -> None:
    assert "nothing" in fit(lines.egress_line(of(a_status.empty())), 80).plain
    asked = replace(a_status.normal(), consented=False)
    assert "until you agree" in fit(lines.egress_line(of(asked)), 80).plain


def test_the_banner_says_what_is_wrong_and_the_key() -> None:
    assert lines.banner(of(a_status.normal())) is None
    said = lines.banner(of(a_status.offline()))
    assert said is not None
    assert "r = retry now" in said.plain
    stopped = replace(a_status.offline(), state="stopped", problem=Problem(text="another key"))
    said = lines.banner(of(stopped))
    assert said is not None
    assert said.plain == " another key"  # nobody dials any more
    gone = View(status=a_status.normal(), now=104.0, heard_at=90.0, lost_at=100.0)
    lost = lines.banner(gone)
    assert lost is not None
    assert "node connection lost 4.0 s ago" in lost.plain


def test_nothing_is_said_of_a_node_that_never_answered() -> None:
    never = View(now=104.0, lost_at=100.0)
    for line in (lines.status_line, lines.identity_line, lines.egress_line):
        said = fit(line(never), 120).plain
        assert "not known" in said
        assert not any(word in said for word in ("nothing", "IDLE", "join"))
    banner = lines.banner(never)
    assert banner is not None
    assert banner.plain == " no node answers yet; trying again"
    assert lines.banner(View(now=104.0)) is None, "it was only asked"
