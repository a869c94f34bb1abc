"""Figures of rounds: percentiles, means, the curve, how the newest model compares. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedtui.status.coordinator import Board, RoundLine


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds a round takes, and bytes it moves; None where no round was counted."""

    p50_s: float | None
    p99_s: float | None
    bytes_per_round: float | None


def percentile(values: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile; `share` from 0 to 1."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered), max(1, math.ceil(share * len(ordered)))) - 1]


def pace(rounds: Sequence[RoundLine]) -> Pace:
    """Over all these rounds; bytes over those that were counted."""
    seconds = [line.seconds for line in rounds]
    moved = [
        line.bytes_up + line.bytes_down
        for line in rounds
        if line.bytes_up is not None and line.bytes_down is not None
    ]
    return Pace(
        percentile(seconds, 0.5),
        percentile(seconds, 0.99),
        sum(moved) / len(moved) if moved else None,
    )


def curve(rounds: Sequence[RoundLine]) -> list[tuple[int, float]]:
    """(round, score) of those that were measured."""
    return [(line.round, line.score) for line in rounds if line.score is not None]


def change(board: Board) -> float | None:
    """How the newest measured model differs from the one before; positive is better."""
    scores = [score for _, score in curve(board.rounds)]
    if len(scores) < 2:
        return None
    return (scores[-1] - scores[-2]) * (1 if board.higher_is_better else -1)
