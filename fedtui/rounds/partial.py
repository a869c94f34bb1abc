"""Partial work: how long a node may train so that what it has by then still arrives in time.

Under a plan with `[deadlines] partial` a node that will not finish sends what it has: as many
steps as fit, which count by the examples that they saw (TrainResult.num_examples). What must be
left for sending is a tenth of the whole time, or twice what getting the model took if that is
more: an update is as large as a model, and the way out is often slower than the way in.
"""

RESERVE = 0.1
TIMES_FETCHING = 2.0


def within_s(allowed_s: float, spent_s: float) -> float:
    """Seconds of training, of `allowed_s` since the offer, `spent_s` of them on the model."""
    reserve_s = max(RESERVE * allowed_s, TIMES_FETCHING * spent_s)
    return max(0.0, allowed_s - spent_s - reserve_s)
