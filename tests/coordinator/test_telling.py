"""Every event that the coordinator tells its followers is a sentence, or left out on purpose."""

import re
from pathlib import Path

import pytest

import coordinator
from coordinator.telling import _SENTENCES, happened

QUIET = {
    "phase",
    "progress",
    "status",
    "round failed",
    "rolled back",
}  # told by the board, or by an alarm


def told() -> set[str]:
    """The names of events in the sources of the coordinator."""
    folder = Path(coordinator.__file__).parent
    text = "".join((folder / name).read_text() for name in ("chronicle.py", "commands.py"))
    calls = re.findall(r"(?:_say|note|_node_line|_tell)\(\s*(?:node, )?\"([a-z ]+)\"", text)
    return set(calls)


def test_no_event_is_forgotten() -> None:
    found = told()
    assert {"joined", "round finished", "invite made", "evicted", "asks"} <= found
    assert found - QUIET == _SENTENCES.keys()


@pytest.mark.parametrize("event", sorted(_SENTENCES))
def test_an_event_without_its_fields_is_no_error(event: str) -> None:
    said = happened({"event": event})
    assert said is not None
    assert said.at == 0.0


def test_sentences() -> None:
    finished = {"event": "round finished", "ts": 5.0, "round": 3, "participants": 4, "dropped": 1}
    said = happened(finished | {"seconds": 61.25})
    assert said is not None
    assert (said.at, said.text) == (5.0, "round 3 finished: 4 nodes, 1 dropped out, 61.2 s")
    assert happened({"event": "progress", "fraction": 0.5}) is None
    assert happened({"event": "what a newer coordinator says"}) is None


def test_labels_are_made_harmless() -> None:
    said = happened({"event": "joined", "label": "\x1b]52;c;evil\x07\u202eabc", "role": "x"})
    assert said is not None
    assert said.text == "]52;c;evilabc is here (x)"
