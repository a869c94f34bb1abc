"""How unequal the weights of one round's updates are: whether a few nodes decide the model.

`alike` is Kish's effective sample size, (sum w)^2 / sum w^2 (Survey Sampling, 1965): so many nodes
of equal weight would be as spread. Known without masks only; under masks nobody but a node itself
knows what it counts.
"""

from collections.abc import Collection

import msgspec


class Spread(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Smallest, median and largest share of the sum, in (0, 1]; `alike` from 1 to their number."""

    smallest: float
    median: float
    largest: float
    alike: float


def spread_of(weights: Collection[float]) -> Spread | None:
    """The spread of weights above 0; None of none."""
    ordered = sorted(weights)
    total = sum(ordered)
    if not total > 0:
        return None
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    shares = [weight / total for weight in ordered]
    return Spread(
        shares[0], middle / total, shares[-1], 1.0 / sum(share * share for share in shares)
    )
