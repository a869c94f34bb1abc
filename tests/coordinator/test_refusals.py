import errno
import os

import pytest

from coordinator.refusals import os_refusal
from fedtui.errors import ExitCode


@pytest.mark.parametrize(
    ("number", "status", "says"),
    [
        (errno.EACCES, ExitCode.NO_PERMISSION, "run as the user who owns"),
        (errno.EROFS, ExitCode.NO_PERMISSION, "run as the user who owns"),
        (errno.ENOSPC, ExitCode.IO, "make room"),
        (errno.ENOENT, ExitCode.MISSING_INPUT, "no such file"),
        (errno.EIO, ExitCode.IO, "nput/output error"),
    ],
)
def test_what_the_system_refuses_is_said_with_the_file(
    number: int, status: ExitCode, says: str
) -> None:
    refusal = os_refusal(OSError(number, os.strerror(number), "/srv/f/plan.toml"))
    assert refusal.exit_code is status
    assert str(refusal).startswith("/srv/f/plan.toml: ")
    assert says in str(refusal)


def test_an_error_without_a_number_still_says_something() -> None:
    assert str(os_refusal(OSError("odd"))) == "odd"
