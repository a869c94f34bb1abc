"""The View from events, without a terminal."""

from fake_coordinator import BOARD, EVENTS, INVITES, NOW
from msgspec.structs import replace

from fedtui.status.coordinator import Alarm, BoardSeen, ConnectionLost, InvitesSeen
from fedtui.tui.coordinator import state
from fedtui.tui.coordinator.state import (
    Acknowledged,
    Event,
    Filtered,
    FormerShown,
    Ticked,
    View,
    reduce,
)


def after(*events: Event, view: View | None = None) -> View:
    for event in events:
        view = reduce(view or View(), event)
    assert view is not None
    return view


SEEN = after(Ticked(100.0), BoardSeen(board=BOARD), InvitesSeen(invites=INVITES), *EVENTS)


def test_ages_are_counted_on_the_coordinators_clock() -> None:
    assert SEEN.there == NOW
    assert after(Ticked(103.5), view=SEEN).there == NOW + 3.5
    assert after(Ticked(50.0), view=SEEN).there == NOW, "our clock was set back"


def test_time_stands_still_while_nobody_answers() -> None:
    lost = after(ConnectionLost(at=1.0, text="gone"), Ticked(900.0), view=SEEN)
    assert lost.there == NOW
    again = after(ConnectionLost(at=2.0, text="other"), view=lost)
    assert again.lost == lost.lost, "the first reason is the one that counts"
    back = after(BoardSeen(board=BOARD), Ticked(901.0), view=lost)
    assert back.lost is None
    assert back.there == NOW + 1.0


def test_nodes_that_are_out_are_hidden_until_asked_for() -> None:
    assert "hazel" not in [row.label for row in SEEN.nodes]
    assert "hazel" in [row.label for row in after(FormerShown(), view=SEEN).nodes]
    assert after(FormerShown(), FormerShown(), view=SEEN) == SEEN


def test_the_filter_finds_names_phases_and_ids_whatever_their_case() -> None:
    def labels(text: str) -> list[str]:
        return [row.label for row in after(Filtered(text), view=SEEN).nodes]

    assert labels("OAK") == ["oak"]
    assert labels(" train ") == ["alder-ws"]
    assert labels("evaluator") == ["willow"]
    assert labels("nothing like it") == []
    assert [e.text for e in after(Filtered("birch"), view=SEEN).shown_events] == [
        "birch asks to join"
    ]
    assert len(after(Filtered("x" * 10_000), view=SEEN).filter) == state.MAX_FILTER


def test_alarms_count_until_acknowledged_and_anew_in_another_life() -> None:
    assert SEEN.num_unseen == 2
    seen = after(Acknowledged(), view=SEEN)
    assert seen.num_unseen == 0
    newer = replace(BOARD, alarms=(*BOARD.alarms, Alarm(number=3, at=NOW, kind="x", text="y")))
    assert after(BoardSeen(board=newer), view=seen).num_unseen == 1
    restarted = replace(BOARD, incarnation=4, alarms=BOARD.alarms[:1])
    assert after(BoardSeen(board=restarted), view=seen).num_unseen == 1


def test_open_invites_come_first_and_events_are_bounded() -> None:
    both = after(InvitesSeen(invites=INVITES[::-1]), view=SEEN)
    assert [invite.state for invite in both.shown_invites] == ["open", "spent"]
    many = after(*(EVENTS * 500), view=SEEN)
    assert len(many.events) == state.MAX_EVENTS


def test_before_the_first_answer_there_is_nothing() -> None:
    empty = after(Acknowledged(), Filtered("x"), FormerShown(), Ticked(1.0))
    assert (empty.nodes, empty.pending, empty.num_unseen, empty.there) == ((), (), 0, 0.0)
