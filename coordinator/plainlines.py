"""What `watch --plain` prints: one line for each thing that happens, without boxes. Pure.

For pipes and screen readers. A node that asks to join gets a line with what must be compared.
"""

from datetime import datetime

from fedtui.status.coordinator import (
    Board,
    BoardSeen,
    ConnectionLost,
    Happened,
    InvitesSeen,
    Seen,
)
from fedtui.wire.labels import safe_label

_LEVELS = {"info": "", "ok": "", "warning": "attention: ", "error": "alarm: "}


class PlainLines:
    """Remembers what was said, so that nothing is said twice."""

    def __init__(self) -> None:
        self._attached = False
        self._asking: dict[str, bool] = {}  # fingerprint -> whether its words were told

    def lines(self, seen: Seen) -> list[str]:
        """The lines for this."""
        match seen:
            case BoardSeen(board=board):
                return [*self._greeting(board), *self._asks(board)]
            case Happened():
                return [_line(seen.at, _LEVELS[seen.level] + seen.text)]
            case ConnectionLost():
                self._attached = False
                return [_line(seen.at, f"connection lost: {seen.text}; waiting for it")]
            case InvitesSeen():
                return []

    def _greeting(self, board: Board) -> list[str]:
        if self._attached:
            return []
        self._attached = True
        words = f", words {' '.join(board.words)}" if board.words else ""
        return [
            _line(board.at, f"{board.federation}: {board.text}"),
            _line(board.at, f"fingerprint {board.fingerprint}{words}; {board.privacy}"),
            _line(board.at, f"{board.connected} nodes connected, {board.pending} ask to join"),
        ]

    def _asks(self, board: Board) -> list[str]:
        found = []
        asking = {row.fingerprint: row for row in board.nodes if row.phase == "asks"}
        self._asking = {key: told for key, told in self._asking.items() if key in asking}
        for key, row in asking.items():
            if self._asking.get(key):
                continue
            name = safe_label(row.label) or "a node without a name"
            if row.words:
                words = " ".join(row.words)
                found.append(_line(board.at, f"{name} asks to join: {key}, words {words}"))
            elif key not in self._asking:
                found.append(_line(board.at, f"{name} asks to join: {key}"))
            self._asking[key] = bool(row.words)
        return found


def _line(at: float, text: str) -> str:
    return f"{datetime.fromtimestamp(at).astimezone():%H:%M:%S} {text}"
