"""Limits from the fields of a form; and what they mean for the round under way."""

import a_status
import pytest
from msgspec.structs import replace

from fedtui.status import Limits
from fedtui.tui.modals.limiting import deadline_note, limits_from, sentence

FIELDS = {
    "cpu_percent": "50",
    "threads": "2",
    "run": "AC",
    "hours": "20:00-07:00",
    "max_upload_mb_per_day": "500",
    "max_upload_kb_per_s": "",
    "leave_on": "2026-12-31",
}


def test_all_fields_are_taken_and_what_has_no_field_stays() -> None:
    assert limits_from(FIELDS, Limits(memory_mb=900)) == Limits(
        cpu_percent=50,
        threads=2,
        run="AC",
        hours="20:00-07:00",
        max_upload_mb_per_day=500,
        leave_on="2026-12-31",
        memory_mb=900,
    )


def test_empty_fields_are_no_limits() -> None:
    fields = FIELDS | {"hours": "any", "leave_on": " ", "max_upload_mb_per_day": " "}
    made = limits_from(fields, Limits(max_upload_mb_per_day=5, hours="01:00-02:00"))
    assert (made.hours, made.leave_on, made.max_upload_mb_per_day) == ("", "", 0)


@pytest.mark.parametrize(
    ("field", "text", "says"),
    [
        ("threads", "x", "threads: 'x' is no number"),
        ("threads", "0", "threads: a whole number"),
        ("threads", "nan", "threads: 0 (no limit) or more"),
        ("max_upload_mb_per_day", "-1", "upload a day: 0 (no limit) or more"),
        ("max_upload_kb_per_s", "1e12", "upload rate: 0"),
        ("hours", "25:00-07:00", "20:00-07:00"),
        ("leave_on", "soon", "leave on: a day as in"),
        ("leave_on", "2026-02-30", "there is no day 2026-02-30"),
    ],
)
def test_what_cannot_be_understood_is_named(field: str, text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        limits_from(FIELDS | {field: text}, Limits())
    assert says in str(error.value)


def test_a_share_that_misses_the_deadline_is_said() -> None:
    status = a_status.normal()  # 8 s left of training at 100 %, 46 s to the deadline
    assert deadline_note(status, Limits(cpu_percent=50), a_status.NOW) == ""
    note = deadline_note(status, Limits(cpu_percent=10), a_status.NOW)
    assert note == "misses the deadline at 10 %: about 1:20 needed, 0:46 left"
    idle = replace(status, state="waiting")
    assert deadline_note(idle, Limits(cpu_percent=10), a_status.NOW) == ""


def test_limits_in_one_line() -> None:
    assert sentence(Limits()) == "cpu 100 %"
    assert sentence(limits_from(FIELDS, Limits())) == (
        "cpu 50 %, upload 500 MB/day, AC only, 20:00-07:00, leaves on 2026-12-31"
    )
