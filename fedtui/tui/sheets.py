"""Sheets: what each screen shows, as tables that can be exported. Pure; never a secret."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fedtui.tui.exporting import Sheet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fedtui.status import LogLine, NodeStatus, PastRound


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, tz=UTC).isoformat(timespec="seconds") if at else ""


def rounds(past: Iterable[PastRound]) -> Sheet:
    columns = (
        "round",
        "attempt",
        "outcome",
        "ended_at",
        "seconds",
        "score",
        "num_updates",
        "cohort",
        "dropped",
        "masked",
        "bytes_up",
        "bytes_down",
        "reason",
    )
    rows = tuple(
        (
            one.number,
            one.attempt,
            one.outcome,
            _utc(one.ended_at),
            round(one.seconds, 3),
            one.score,
            one.num_updates,
            one.cohort,
            one.dropped,
            one.masked,
            one.bytes_up,
            one.bytes_down,
            one.reason,
        )
        for one in past
    )
    return Sheet("rounds", columns, rows)


def losses(status: NodeStatus) -> Sheet:
    training = status.training
    first = training.batch - len(training.losses) + 1
    rows = tuple((first + place, loss) for place, loss in enumerate(training.losses))
    return Sheet("losses", ("batch", "loss"), rows)


def rates(status: NodeStatus) -> Sheet:
    traffic = status.traffic
    count = min(len(traffic.up_rates), len(traffic.down_rates))
    rows = tuple(
        (count - place, up, down)
        for place, (up, down) in enumerate(
            zip(traffic.up_rates[-count:], traffic.down_rates[-count:], strict=True), start=1
        )
    )
    return Sheet("rates", ("seconds_ago", "up_bytes_per_s", "down_bytes_per_s"), rows)


def scores(status: NodeStatus) -> Sheet:
    """Global scores with source coord, those of the own hold-out with source here."""
    rows: list[tuple[str | int | float | None, ...]] = [
        (one.round, one.metric, one.score, "coord") for one in status.scores
    ]
    for own in status.own_scores:
        rows.append((own.round, own.metric, own.before, "here, before training"))
        rows.append((own.round, own.metric, own.after, "here, after training"))
    return Sheet("scores", ("round", "metric", "score", "source"), tuple(rows))


def roster(status: NodeStatus) -> Sheet:
    rows = tuple((one.fingerprint, one.is_me, one.is_new, one.lost) for one in status.roster)
    return Sheet("roster", ("fingerprint", "is_me", "is_new", "lost"), rows)


def leaves(status: NodeStatus) -> Sheet:
    items = status.plan.leaves if status.plan else ()
    rows = tuple((one.item, one.form, one.reader, one.when, one.can, one.source) for one in items)
    return Sheet("leaves", ("item", "form", "reader", "when", "you_can", "source"), rows)


def privacy(status: NodeStatus) -> Sheet:
    own = status.privacy
    names = (
        "masked",
        "cohort",
        "threshold",
        "minimum",
        "coordinator_sees",
        "others_see",
        "if_collude",
    )
    rows = tuple((name, getattr(own, name)) for name in names) if status.plan else ()
    return Sheet("privacy", ("what", "value"), rows)


def events(lines: Iterable[LogLine]) -> Sheet:
    rows = tuple((_utc(one.at), one.level, one.source, one.text) for one in lines)
    return Sheet("events", ("at", "level", "source", "text"), rows)
