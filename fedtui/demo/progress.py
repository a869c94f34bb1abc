"""Progress: what a screen shows of a federation, and its figures in words. Pure."""

from dataclasses import dataclass

from fedtui.learning.metrics import higher_is_better


@dataclass(frozen=True, slots=True)
class RoundRow:
    """One committed round; `accuracy` None until it was measured. Bytes are on the wire.

    They are None until the coordinator told them, and for rounds before it was started again.
    """

    round: int
    seconds: float
    accuracy: float | None
    participants: int
    dropped: int
    bytes_up: int | None = None
    bytes_down: int | None = None


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node of the cohort under way: what it does, and how far it is (0 to 1)."""

    label: str
    standing: str
    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """All that the display needs; `sentence` is the coordinator's own.

    `phase` is one of `PHASES`, or empty before the first round and after the last. `round_s` is
    from the start of a round to that of the next, None before two began.
    """

    sentence: str = "starting the coordinator and the nodes"
    task: str = ""
    phase: str = ""
    metric: str = "accuracy"
    target: float | None = None
    max_rounds: int = 0
    nodes: tuple[NodeRow, ...] = ()
    rows: tuple[RoundRow, ...] = ()
    elapsed_s: float = 0.0
    round_s: float | None = None
    ended: str = ""

    @property
    def best(self) -> float | None:
        """The best score so far."""
        scores = [r.accuracy for r in self.rows if r.accuracy is not None]
        choose = max if higher_is_better(self.metric) else min
        return choose(scores, default=None)

    @property
    def left_s(self) -> float | None:
        """Seconds left if every round were used and took as long as those so far, all in all."""
        if not self.rows or not self.max_rounds:
            return None
        each_s = self.round_s  # a row counts no evaluation, nor what lies between two rounds
        if each_s is None:
            each_s = sum(r.seconds for r in self.rows) / len(self.rows)
        return each_s * max(0, self.max_rounds - len(self.rows))


UNKNOWN = "—"
PHASES = ("gather", "train", "combine", "measure")


def score_text(metric: str, score: float) -> str:
    """A score as people read it: accuracy in percent, everything else as a number."""
    return f"{score:.2%}" if metric == "accuracy" else f"{score:.4f}"


def readable(num_bytes: int | None) -> str:
    """Bytes for people: 1.2 MB; a dash if nobody knows."""
    if num_bytes is None:
        return UNKNOWN
    size = float(num_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def duration(seconds: float) -> str:
    """Seconds for people: 42 s, 3:05 min."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"
