import pytest
from fake_coordinator import BOARD, INVITES, NODES
from msgspec.structs import replace

from fedtui.status.coordinator import BoardSeen, ConnectionLost
from fedtui.tui.coordinator.doing import DOING
from fedtui.tui.coordinator.keys import BY_ID, COMMANDS, PANES, Scene, footer
from fedtui.tui.coordinator.state import View, reduce
from fedtui.tui.keymap import EATEN

VIEW = reduce(View(), BoardSeen(board=BOARD))
ROWS = {row.label: row for row in NODES}


def why(command: str, view: View = VIEW, **scene: object) -> str:
    return BY_ID[command].why_not(Scene(view, **scene))


def board(**changes: object) -> View:
    return reduce(View(), BoardSeen(board=replace(BOARD, **changes)))


def test_no_key_is_eaten_and_only_pause_and_resume_share_one() -> None:
    keys = [(key, command.id) for command in COMMANDS for key in command.keys]
    assert not {key for key, _ in keys} & EATEN
    assert not any(key.startswith("alt+") for key, _ in keys)
    shared = {one for one, _ in keys if sum(one == other for other, _ in keys) > 1}
    assert shared == {"P"}


def test_every_command_can_be_done_and_what_changes_something_has_a_twin() -> None:
    assert {command.id.partition(".")[0] for command in COMMANDS} == DOING.keys()
    assert [c.id for c in COMMANDS if c.id.startswith("pane.")] == [f"pane.{n}" for n in PANES]
    steering = {
        "approve",
        "reject",
        "revoke",
        "evict",
        "invite",
        "pause",
        "resume",
        "next",
        "stop",
    }
    assert all(BY_ID[name].twin.startswith("fedtui-coordinator ") for name in steering)


def test_whoever_asks_can_be_decided_on_wherever_the_cursor_is() -> None:
    assert why("approve", node=ROWS["oak"]) == ""
    assert why("approve", board(nodes=NODES[1:])) == "no node waits for approval"


@pytest.mark.parametrize(
    ("label", "reason"),
    [("birch", ""), ("oak", ""), ("hazel", "this node is out already")],
)
def test_who_can_be_revoked(label: str, reason: str) -> None:
    assert why("revoke", node=ROWS[label]) == reason


def test_in_the_pane_of_invites_revoke_means_the_invite() -> None:
    assert why("revoke", node=ROWS["oak"], pane="invites") == "no open invite is chosen"
    assert why("revoke", invite=INVITES[0], pane="invites") == ""
    assert why("revoke", invite=INVITES[1], pane="invites") == "no open invite is chosen"


def test_only_who_is_connected_can_be_evicted() -> None:
    assert why("evict", node=ROWS["oak"]) == ""
    assert why("evict", node=ROWS["yew"]) == "this node is not connected"
    assert why("evict") == "no node is chosen"


def test_pause_or_resume() -> None:
    assert (why("pause"), why("resume")) == ("", "not paused")
    paused = board(paused=True)
    assert (why("pause", paused), why("resume", paused)) == ("paused already", "")


def test_a_round_now_says_why_not() -> None:
    assert why("next") == "no round can begin now: round 12: 1 of 3 nodes are ready"
    assert why("next", board(can_begin=True)) == ""
    assert why("next", board(paused=True)) == "paused"


def test_nothing_is_asked_of_who_does_not_answer_or_is_over() -> None:
    lost = reduce(VIEW, ConnectionLost(at=0.0, text="gone"))
    for name in ("approve", "revoke", "invite", "pause", "next", "stop"):
        assert why(name, lost, node=ROWS["oak"]) == "the coordinator does not answer"
    over = board(ended="done")
    for name in ("pause", "resume", "next"):
        assert why(name, over) == "the federation is over"
    assert why("export", lost) == "", "what is shown can be kept"


def test_the_footer_follows_what_can_be_done() -> None:
    names = [command.id for command in footer(Scene(VIEW, ROWS["oak"]), 20)]
    assert "resume" not in names
    assert {"approve", "pause", "detach", "help"} <= set(names)
    assert [command.id for command in footer(Scene(VIEW), 1)] == ["detach"]
