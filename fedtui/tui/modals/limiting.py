"""Limiting: the fields of the operator's limits, and what they mean for the round under way.

`limits_from` and `deadline_note` are pure; the form is used by the throttle and by the wizard.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import msgspec
from textual.containers import Vertical

from fedtui.status import Limits
from fedtui.tui import wording
from fedtui.tui.modals.fields import Field, Line, Pick

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.app import ComposeResult

    from fedtui.status import NodeStatus

RUN = {"always": "always", "idle": "idle only", "AC": "AC only"}
CPU = ("10", "25", "50", "75", "100")
_NAMES = {
    "threads": "threads",
    "max_upload_mb_per_day": "upload a day",
    "max_upload_kb_per_s": "upload rate",
}


def limits_from(fields: Mapping[str, str], before: Limits) -> Limits:
    """The limits that the fields say; what they do not name stays as `before`.

    Raises:
        ValueError: a field cannot be understood; says which, and how it should look.
    """
    values: dict[str, object] = msgspec.structs.asdict(before)
    values["cpu_percent"] = int(fields["cpu_percent"])
    values["run"] = fields["run"]
    for name, words in _NAMES.items():
        text = fields[name].strip() or "0"
        try:
            number = float(text)
        except ValueError:
            raise ValueError(f"{words}: {text!r} is no number") from None
        if not 0 <= number < 1e9:
            raise ValueError(f"{words}: 0 (no limit) or more")
        values[name] = int(number) if name == "threads" else number
    hours = fields["hours"].strip()
    values["hours"] = "" if hours == "any" else hours
    values["leave_on"] = fields["leave_on"].strip()
    try:
        made = msgspec.convert(values, Limits)
    except msgspec.ValidationError as error:
        raise ValueError(_in_words(str(error))) from error
    if made.leave_on:
        try:
            date.fromisoformat(made.leave_on)
        except ValueError:
            raise ValueError(f"leave on: there is no day {made.leave_on}") from None
    return made


def _in_words(error: str) -> str:
    if "hours" in error:
        return "hours: as in 20:00-07:00, or empty for any time"
    if "leave_on" in error:
        return "leave on: a day as in 2026-12-31, or empty for never"
    if "threads" in error:
        return "threads: a whole number from 1 to 1024"
    return error


def deadline_note(status: NodeStatus, limits: Limits, now: float) -> str:
    """Whether training would miss the round's deadline under `limits`; "" if it would not."""
    training, deadline = status.training, status.round.deadline_at
    if status.state != "training" or training.left_s is None or not deadline:
        return ""
    needed = training.left_s * status.limits.cpu_percent / limits.cpu_percent
    left = max(0.0, deadline - now)
    if needed <= left:
        return ""
    return (
        f"misses the deadline at {limits.cpu_percent} %: about {wording.clock(needed)} needed, "
        f"{wording.clock(left)} left"
    )


def sentence(limits: Limits) -> str:
    """The limits in one line, for forms and receipts."""
    parts = [f"cpu {limits.cpu_percent} %"]
    if limits.max_upload_mb_per_day:
        parts.append(f"upload {limits.max_upload_mb_per_day:g} MB/day")
    if limits.run != "always":
        parts.append(RUN[limits.run])
    if limits.hours:
        parts.append(limits.hours)
    if limits.leave_on:
        parts.append(f"leaves on {limits.leave_on}")
    return ", ".join(parts)


class LimitsForm(Vertical):
    """The fields, filled in; `read` gives what they say."""

    def __init__(self, limits: Limits, num_cores: int) -> None:
        super().__init__(classes="form")
        self._limits, self._num_cores = limits, num_cores

    def compose(self) -> ComposeResult:
        one = self._limits
        cores = f"of {self._num_cores} cores, nice 10" if self._num_cores else "nice 10"
        yield Field("cpu", Pick(CPU, str(one.cpu_percent), id="cpu_percent"), "%")
        yield Field("threads", Line(str(one.threads), id="threads"), cores)
        yield Field("run", Pick([*RUN.values()], RUN[one.run], id="run"))
        yield Field("hours", Line(one.hours, id="hours", hint="any time"), "20:00-07:00")
        day = _shown(one.max_upload_mb_per_day)
        yield Field("upload a day", Line(day, id="max_upload_mb_per_day", hint="no limit"), "MB")
        second = _shown(one.max_upload_kb_per_s)
        yield Field("upload rate", Line(second, id="max_upload_kb_per_s", hint="no limit"), "kB/s")
        yield Field("leave on", Line(one.leave_on, id="leave_on", hint="never"), "2026-12-31")

    def read(self) -> Limits:
        """Raises ValueError with what to mend."""
        fields = {one.id or "": one.value for one in self.query(Line)}
        fields |= {one.id or "": one.value for one in self.query(Pick)}
        names = {words: name for name, words in RUN.items()}
        fields["run"] = names[fields["run"]]
        return limits_from(fields, self._limits)


def _shown(number: float) -> str:
    return f"{number:g}" if number else ""
