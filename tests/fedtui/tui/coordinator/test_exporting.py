import csv
import io
import json

from fake_coordinator import BOARD, EVENTS, INVITE, NODES
from msgspec.structs import replace

from fedtui.status.coordinator import BoardSeen
from fedtui.tui.coordinator import exporting
from fedtui.tui.coordinator.state import Filtered, View, reduce

VIEW = reduce(View(), BoardSeen(board=BOARD))


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_what_is_shown_is_written() -> None:
    view = VIEW
    for event in EVENTS:
        view = reduce(view, event)
    files = exporting.files(view)
    assert [row["label"] for row in table(files["nodes.csv"])] == [row.label for row in view.nodes]
    rounds = table(files["rounds.csv"])
    assert (len(rounds), rounds[-1]["round"], rounds[-1]["participants"]) == (11, "11", "8")
    events = [json.loads(line) for line in files["events.jsonl"].splitlines()]
    assert [event["text"] for event in events] == [event.text for event in EVENTS]
    oak = exporting.files(reduce(view, Filtered("oak")))
    assert [row["label"] for row in table(oak["nodes.csv"])] == ["oak"]


def test_a_label_is_no_formula_and_no_line_of_its_own() -> None:
    evil = replace(NODES[1], label='=HYPERLINK("http://x","y")\n"')
    view = reduce(View(), BoardSeen(board=replace(BOARD, nodes=(evil,))))
    (row,) = table(exporting.files(view)["nodes.csv"])
    assert row["label"] == "'" + evil.label


def test_no_invite_is_in_it_and_nothing_before_the_first_answer() -> None:
    assert all(INVITE not in text for text in exporting.files(VIEW).values())
    empty = exporting.files(View())
    assert [len(table(empty[name])) for name in ("nodes.csv", "rounds.csv")] == [0, 0]
