"""Exit codes: each has its line in the table, each refusal its code, and only bugs have none."""

import errno

import pytest

from fedtui import errors
from fedtui.errors import CloseCode
from fedtui.status import Refused
from node.exits import MEANING, REMEDIES, Exit, Stop, of_close_code, of_error


def test_every_code_has_its_line_in_the_table() -> None:
    assert set(MEANING) == set(Exit)


@pytest.mark.parametrize("code", list(CloseCode), ids=lambda code: code.name)
def test_every_close_code_has_an_exit_and_hard_stops_a_remedy(code: CloseCode) -> None:
    assert of_close_code(code) is not Exit.OK
    if code.retry in {errors.Retry.ASK, errors.Retry.NEVER, errors.Retry.REPORT}:
        assert REMEDIES[code]


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        (CloseCode.UNAUTHORISED, 8),
        (CloseCode.REVOKED, 8),
        (CloseCode.IDENTITY_MISMATCH, 9),
        (CloseCode.VERSION, 10),
        (4999, 69),
    ],
)
def test_what_scripts_tell_apart(code: int, exit_code: int) -> None:
    assert of_close_code(code) == exit_code


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (Stop("x", exit_code=Exit.REFUSED), 7),
        (Refused("x", exit_code=6), 6),
        (errors.InviteError("x"), 65),
        (errors.KeyFileError("x"), 77),
        (errors.IdentityMismatchError("x"), 9),
        (OSError(errno.ENOSPC, "No space", "/f"), 74),
        (OSError(errno.EACCES, "denied", "/f"), 77),
        (FileNotFoundError(errno.ENOENT, "none", "/f"), 66),
        (OSError("odd"), 74),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_errors_become_one_line_and_a_code(error: Exception, exit_code: int) -> None:
    found = of_error(error)
    assert found is not None
    assert found.exit_code == exit_code
    assert found.text
    if getattr(error, "filename", None):
        assert "/f" in found.text


def test_a_bug_is_not_dressed_up() -> None:
    assert of_error(KeyError("x")) is None


def test_L5_a_key_that_finds_no_room_is_the_disks_fault() -> None:
    error = errors.KeyFileError("identity.key cannot be written: No space left on device")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    found = of_error(error)
    assert found is not None
    assert (found.exit_code, found.remedy) == (74, "free some space, then try again")
