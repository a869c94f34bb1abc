"""Sums too large or too fine for one masked scalar, as three scalars that add up alike.

A scalar holds numbers up to 2**39 in steps of 2**-16 (secagg/encoding.py): right for counts, but
not for the squares of a regression, whose targets may be prices or fractions of a gram. So under
the metrics of a regression each sum that is no count travels as

    NAME_high * 2**32  +  NAME  +  NAME_low / 2**48

The parts are whole steps, so they add up over nodes without error, up to 2**70 in steps of 2**-64.
"""

import math
from collections.abc import Mapping

from fedtui.learning.metrics import sums_for

MOST = 2.0**70
_METRICS = frozenset({"rmse", "r2", "loss"})
_SPLIT = frozenset({"loss_sum", "squared_error", "target_sum", "target_squares"})
_HIGH, _LOW = 2.0**32, 2.0**48
_STEPS = 2.0**16  # of a scalar


def scalars_for(metric: str) -> tuple[str, ...]:
    """The scalars of a masked evaluation, in order. ValueError for an unknown metric."""
    names = sums_for(metric)
    if metric not in _METRICS:
        return names
    parts = (
        (name, f"{name}_high", f"{name}_low") if name in _SPLIT else (name,) for name in names
    )
    return tuple(part for each in parts for part in each)


def split(metric: str, sums: Mapping[str, float]) -> dict[str, float]:
    """One node's finite sums as scalars. What is beyond MOST is cut to it: ask `fits` before."""
    if metric not in _METRICS:
        return dict(sums)
    found: dict[str, float] = {}
    for name, value in sums.items():
        if name not in _SPLIT:
            found[name] = value
            continue
        bounded = max(-MOST, min(MOST, value))
        high = float(round(bounded / _HIGH))
        rest = bounded - high * _HIGH
        middle = round(rest * _STEPS) / _STEPS
        found |= {name: middle, f"{name}_high": high, f"{name}_low": (rest - middle) * _LOW}
    return found


def joined(metric: str, scalars: Mapping[str, float]) -> dict[str, float]:
    """The sums behind added-up scalars."""
    if metric not in _METRICS:
        return dict(scalars)
    found: dict[str, float] = {}
    for name in sums_for(metric):
        parts = [scalars[name]]
        if name in _SPLIT:
            parts += [scalars[f"{name}_high"] * _HIGH, scalars[f"{name}_low"] / _LOW]
        found[name] = math.fsum(parts)
    return found


def fits(sums: Mapping[str, float]) -> bool:
    """Whether every sum is small enough to be split."""
    return all(abs(value) < MOST for value in sums.values())
