"""What a simulated federation tells of itself: a line per finished round, and per node in it.

Seconds are those of the virtual clock unless a name says `wall`; bytes are those that a network
would have carried, with the overhead of the encrypted channel.
"""

import msgspec


class RoundReport(msgspec.Struct, frozen=True, kw_only=True):
    """One committed round. `score` is None where nobody measured.

    `loss` is the mean while training, over all examples of those who counted.
    `ended_s` is the virtual time at which it was measured, counted from the run's beginning.
    Without masks: the `largest_share` of a node in the sum, and how many nodes of equal weight
    would be as spread (`alike`). `rolled_back` says why its model did not pass the gate, if so.
    """

    round: int
    attempt: int
    metric: str
    score: float | None
    loss: float | None
    num_present: int
    num_invited: int
    num_counted: int
    num_examples: int
    seconds: float
    ended_s: float
    bytes_up: int
    bytes_down: int
    wall_s: float
    model: str
    largest_share: float | None = None
    alike: float | None = None
    rolled_back: str = ""


class NodeReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one node of the cohort did in one committed round.

    `fate`: counted, late, declined, dropped (with the phase, as "dropped: training") or failed.
    Loss and examples are the node's own, which a real coordinator would not see under masks.
    """

    round: int
    attempt: int
    node: int
    fate: str
    num_examples: int
    loss: float | None
    train_s: float
    bytes_up: int
    bytes_down: int
    attack: str = ""
