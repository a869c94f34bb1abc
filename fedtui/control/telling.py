"""What changed between two statuses, as lines for people: screen readers, pipes, logs. Pure.

No boxes, no colours, no control characters; one thing a line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from fedtui.status.tails import newer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fedtui.status import LedgerLine, LogLine, NodeStatus

T = TypeVar("T")
_LEVELS = {"info": "", "ok": "", "warning": "warning: ", "error": "error: "}


def lines(before: NodeStatus | None, now: NodeStatus) -> Iterator[str]:
    """The news of `now`; all of its state if there was nothing before."""
    if before is None or (before.state, before.sentence) != (now.state, now.sentence):
        yield f"{now.state}: {now.sentence}"
    if before is not None:
        yield from (_log(line) for line in newer(_last(before.log), now.log))
        yield from (_ledger(line) for line in newer(_last(before.ledger), now.ledger))
    if now.problem is not None and (before is None or before.problem != now.problem):
        cure = f"; what to do: {now.problem.remedy}" if now.problem.remedy else ""
        yield f"problem: {now.problem.text}{cure}"
    if now.resting and (before is None or before.resting != now.resting):
        yield f"sits out: {now.resting}"


def _last(lines: tuple[T, ...]) -> T | None:
    return lines[-1] if lines else None


def _log(line: LogLine) -> str:
    return f"{_LEVELS[line.level]}{line.text}"


def _ledger(line: LedgerLine) -> str:
    return (
        f"leaves here: round {line.round}, {line.what}, {line.num_bytes:,} bytes, {line.form}, "
        f"to {line.receiver}"
    )
