from fake_coordinator import BOARD, NOW
from msgspec.structs import replace

from coordinator.plainlines import PlainLines
from fedtui.status.coordinator import BoardSeen, ConnectionLost, Happened, InvitesSeen


def test_it_greets_once_and_again_after_the_coordinator_was_gone() -> None:
    plain = PlainLines()
    first = plain.lines(BoardSeen(board=BOARD))
    assert "mnist-clinics: round 12: 1 of 3 nodes are ready" in first[0]
    assert "words amber fjord" in first[1]
    assert plain.lines(BoardSeen(board=replace(BOARD, text="other"))) == []
    (gone,) = plain.lines(ConnectionLost(at=NOW, text="the coordinator stopped"))
    assert gone.endswith("connection lost: the coordinator stopped; waiting for it")
    assert plain.lines(BoardSeen(board=BOARD))[:3] == first[:3]
    assert plain.lines(InvitesSeen(invites=())) == []


def test_whoever_asks_is_told_with_what_must_be_compared() -> None:
    plain = PlainLines()
    asks = BOARD.nodes[0]
    silent = replace(BOARD, nodes=(replace(asks, words=()), *BOARD.nodes[1:]))
    plain.lines(BoardSeen(board=replace(BOARD, nodes=())))
    (line,) = plain.lines(BoardSeen(board=silent))
    assert line.endswith(f"birch asks to join: {asks.fingerprint}")
    assert plain.lines(BoardSeen(board=silent)) == []
    (line,) = plain.lines(BoardSeen(board=BOARD))
    assert line.endswith("words amber fjord lemon quartz violin zebra"), "they come later"
    assert plain.lines(BoardSeen(board=BOARD)) == []


def test_levels_are_words_and_there_are_no_boxes() -> None:
    plain = PlainLines()
    said = [
        plain.lines(Happened(at=NOW, level=level, source="x", text="maple is gone"))[0][9:]
        for level in ("info", "ok", "warning", "error")
    ]
    assert said == [
        "maple is gone",
        "maple is gone",
        "attention: maple is gone",
        "alarm: maple is gone",
    ]
