"""Events of `follow` as sentences, for a screen's list of events and for plain lines. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from fedtui.status.coordinator import Happened
from fedtui.wire.labels import safe_label

_CELLS = 300


def happened(line: Mapping[str, Any]) -> Happened | None:
    """The event for people; None if it is not worth a line of its own."""
    made = _SENTENCES.get(str(line.get("event", "")))
    if made is None:
        return None
    level, source, sentence = made
    at = line.get("ts", 0.0)
    return Happened(
        at=float(at) if isinstance(at, int | float) else 0.0,
        level=level,
        source=source,
        text=safe_label(sentence(line), _CELLS),
    )


def _name(line: Mapping[str, Any]) -> str:
    return str(line.get("label") or f"node {line.get('node', '?')}")


def _finished(line: Mapping[str, Any]) -> str:
    dropped = f", {line['dropped']} dropped out" if line.get("dropped") else ""
    return (
        f"round {line.get('round')} finished: {line.get('participants')} nodes{dropped}, "
        f"{float(line.get('seconds', 0.0)):.1f} s"
    )


def _started(line: Mapping[str, Any]) -> str:
    attempt = f" attempt {line['attempt']}" if line.get("attempt", 1) != 1 else ""
    return f"round {line.get('round')}{attempt} started with {line.get('cohort')} nodes"


def _update(line: Mapping[str, Any]) -> str:
    return f"update of {_name(line)} is here ({line.get('updates')} of {line.get('cohort')})"


_Sentence = Callable[[Mapping[str, Any]], str]
_SENTENCES: dict[str, tuple[Any, str, _Sentence]] = {
    "round started": ("info", "round", _started),
    "round finished": ("ok", "round", _finished),
    "scored": (
        "ok",
        "model",
        lambda e: (
            f"round {e.get('round')} scored {float(e.get('score', 0.0)):.4f} "
            f"({e.get('num_nodes')} nodes)"
        ),
    ),
    "update": ("info", "round", _update),
    "alarm": ("error", "alarm", lambda e: str(e.get("text", ""))),
    "joined": ("ok", "node", lambda e: f"{_name(e)} is here ({e.get('role')})"),
    "left": ("warning", "node", lambda e: f"{_name(e)} is gone"),
    "asks": ("warning", "node", lambda e: f"{_name(e)} asks to join"),
    "enrolled": ("ok", "operator", lambda e: f"{_name(e)} was approved"),
    "rejected": ("info", "operator", lambda e: f"{_name(e)} was turned away"),
    "revoked": ("warning", "operator", lambda e: f"{_name(e)} was put out for good"),
    "evicted": ("warning", "operator", lambda e: f"{_name(e)} was put out of the round"),
    "invite made": (
        "info",
        "operator",
        lambda e: f"invite {e.get('invite')} made: {e.get('role')}",
    ),
    "invite revoked": ("info", "operator", lambda e: f"invite {e.get('invite')} taken back"),
    "paused": ("warning", "operator", lambda _: "paused: no new round begins"),
    "resumed": ("ok", "operator", lambda _: "rounds go on"),
    "ended": ("ok", "round", lambda e: f"the federation is over: {e.get('text')}"),
}
