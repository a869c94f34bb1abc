"""From the lines of `fedtui-coordinator follow` to the Progress that the display draws. Pure."""

from dataclasses import dataclass, field, replace
from typing import Any

from fedtui.demo.progress import NodeRow, Progress, RoundRow

# What the coordinator's phases mean to people, and which of the display's phases they are.
STEPS = {
    "sharing": ("nodes agree on masks with each other", "train"),
    "masking": ("nodes mask their updates and send them", "train"),
    "voting": ("nodes vote for the sum of those that are left", "combine"),
    "revealing": ("nodes reveal what opens the sum, and nothing else", "combine"),
    "aggregating": ("the updates become the next model", "combine"),
    "evaluating": ("the new model is being measured", "measure"),
}


@dataclass(slots=True)
class Watch:
    """Takes one line after the other; `status` lines replace, the others move it on."""

    metric: str = "accuracy"
    target: float | None = None
    max_rounds: int = 0
    sentence: str = "the nodes are in: the first round begins"
    phase: str = ""
    task: str = ""
    ended: str = ""
    rows: tuple[RoundRow, ...] = ()
    cohort: dict[str, NodeRow] = field(default_factory=dict)
    round_s: float | None = None
    _first: tuple[float, int] | None = None  # when the first round began here, rows at that time

    def take(self, line: dict[str, Any]) -> None:
        """One line, as decoded JSON. Unknown events are passed over."""
        match line:
            case {"event": "status", "status": dict(status)}:
                self._take_status(status)
            case {"event": "round started", "round": number, "attempt": attempt}:
                self._measure(line)
                again = f", attempt {attempt}" if attempt > 1 else ""
                self.sentence = f"round {number}{again}: nodes train on their own data"
                self.phase = "train"
                self.cohort = {n: NodeRow(n, "offered", 0.0) for n in self.cohort}
            case {"event": "progress", "label": label, "stage": stage, "fraction": fraction}:
                self.cohort[label] = NodeRow(label, f"{stage} {fraction:.0%}", min(fraction, 0.99))
            case {"event": "update", "label": label, "updates": have, "cohort": of}:
                self.cohort[label] = NodeRow(label, "update received", 1.0)
                self.sentence = f"round {line['round']}: {have} of {of} updates received"
            case {"event": "round finished", "round": int(number)}:
                self._set(_row(line))
                self.sentence = f"round {number} is done"
            case {"event": "scored", "round": number, "score": score}:
                scored = [r for r in self.rows if r.round == number]  # none: the initial model
                moved = {key: line[key] for key in ("bytes_up", "bytes_down") if key in line}
                self._set(*(replace(row, accuracy=score, **moved) for row in scored))
            case {"event": "phase", "phase": "gathering", "present": have, "needed": need}:
                self.sentence = f"waiting for {need} nodes, {have} are here"
                self.phase = "gather"
            case {"event": "phase", "phase": str(step)} if step in STEPS:
                self.sentence, self.phase = STEPS[step]
            case {"event": "round failed", "text": text}:
                self.sentence = f"attempt failed: {text}"
            case {"event": "ended", "text": text}:
                self.ended, self.phase, self.sentence = text, "", text
            case _:
                pass

    def _measure(self, line: dict[str, Any]) -> None:
        """A round begins: how long the rounds before took, one with another."""
        if not isinstance(now := line.get("ts"), float):
            return
        if self._first is None:
            self._first = (now, len(self.rows))
        elif (num_rounds := len(self.rows) - self._first[1]) > 0:
            self.round_s = (now - self._first[0]) / num_rounds

    def _take_status(self, status: dict[str, Any]) -> None:
        self.task, self.metric = status["task"], status["metric"]
        self.target = status["target"]
        self.max_rounds = status["maximum"]
        self.ended = status["ended"] or ""
        self.rows = tuple(rows_of(status))
        self.sentence = status["text"]

    def _set(self, *rows: RoundRow) -> None:
        """These rows, in their places."""
        found = {row.round: row for row in (*self.rows, *rows)}
        self.rows = tuple(found[number] for number in sorted(found))

    def progress(self, elapsed_s: float) -> Progress:
        """What the display should show now."""
        return Progress(
            sentence=self.sentence,
            task=self.task,
            phase=self.phase,
            metric=self.metric,
            target=self.target,
            max_rounds=self.max_rounds,
            nodes=tuple(self.cohort[label] for label in sorted(self.cohort)),
            rows=self.rows,
            elapsed_s=elapsed_s,
            round_s=self.round_s,
            ended=self.ended,
        )


def rows_of(status: dict[str, Any]) -> list[RoundRow]:
    """The committed rounds of a status."""
    return [_row(line) for line in status["rounds"] if line["round"] > 0]


def _row(line: dict[str, Any]) -> RoundRow:
    """A round, from a status or from the event that it is finished: score and bytes may lack."""
    return RoundRow(
        round=line["round"],
        seconds=line["seconds"],
        accuracy=line.get("score"),
        participants=line["participants"],
        dropped=line["dropped"],
        bytes_up=line.get("bytes_up"),
        bytes_down=line.get("bytes_down"),
    )
