import errno

import pytest

from coordinator.adminclient import RefusedError
from coordinator.exits import MEANING, Exit, of_error
from coordinator.files import StoreConflict, StoreFatal, StoreUnavailable
from coordinator.refusals import LockedError, NotRunningError
from coordinator.server import BindDeniedError, BindError
from fedtui.errors import ExitCode, KeyFileError
from fedtui.tomlfile import ConfigError


def test_every_status_has_its_meaning_and_the_numbers_of_the_project() -> None:
    assert set(MEANING) == set(Exit)
    assert Exit.BAD_CONFIG == ExitCode.BAD_CONFIG
    assert Exit.CANNOT_LISTEN == ExitCode.UNAVAILABLE
    assert Exit.INTERRUPTED == 130
    assert len({int(status) for status in Exit}) == len(Exit)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError("x"), Exit.BAD_CONFIG),
        (NotRunningError("x"), Exit.NOT_RUNNING),
        (LockedError("x"), Exit.TRY_LATER),
        (BindError("x"), Exit.CANNOT_LISTEN),
        (BindDeniedError("x"), Exit.NO_PERMISSION),
        (StoreConflict("x"), Exit.REFUSED),
        (StoreUnavailable("x"), Exit.TRY_LATER),
        (StoreFatal("x"), Exit.IO),
        (KeyFileError("x"), Exit.NO_PERMISSION),
        (RefusedError("x", 7), Exit.REFUSED),
        (RefusedError("x", 99), Exit.FAILED),
        (OSError(errno.ENOSPC, "full", "f"), Exit.IO),
        (OSError(errno.EACCES, "no", "f"), Exit.NO_PERMISSION),
        (OSError(errno.ENOENT, "none", "f"), Exit.MISSING_INPUT),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.name,
)
def test_each_error_ends_with_its_status(error: Exception, status: Exit) -> None:
    found = of_error(error)
    assert found is not None
    assert found[1] is status
    assert found[0]


def test_a_bug_is_not_dressed_up() -> None:
    assert of_error(KeyError("bug")) is None
