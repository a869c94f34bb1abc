"""What the exit status of `fedtui-coordinator` means, and which error ends a command with which.

Numbers from 64 on are those of fedtui.errors.ExitCode (BSD's sysexits.h); the small ones are what
a script around a coordinator wants to tell apart. docs/operating.md prints this table.
"""

from enum import IntEnum

from coordinator.adminclient import RefusedError
from coordinator.files import StoreConflict
from coordinator.refusals import NotRunningError, os_refusal
from fedtui.errors import FedtuiError


class Exit(IntEnum):
    """Exit status of `fedtui-coordinator`."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_RUNNING = 6
    REFUSED = 7
    BAD_DATA = 65
    MISSING_INPUT = 66
    CANNOT_LISTEN = 69
    INTERNAL = 70
    CANNOT_CREATE = 73
    IO = 74
    TRY_LATER = 75
    NO_PERMISSION = 77
    BAD_CONFIG = 78
    INTERRUPTED = 130


MEANING = {
    Exit.OK: "done",
    Exit.FAILED: "did not work; the message says why",
    Exit.USAGE: "wrong arguments",
    Exit.NOT_RUNNING: "no coordinator runs in this directory, and the command needs one",
    Exit.REFUSED: "what was asked contradicts what is stored (a revoked node, a spent name)",
    Exit.BAD_DATA: "a model, manifest, fingerprint or backup is not what it should be",
    Exit.MISSING_INPUT: "a file or directory that was named does not exist",
    Exit.CANNOT_LISTEN: "the port is taken, or the address is not this machine's; or "
    "dp-accounting does not answer",
    Exit.INTERNAL: "a bug in fedtui",
    Exit.CANNOT_CREATE: "something exists already where a new thing should be written",
    Exit.IO: "the disk failed",
    Exit.TRY_LATER: "another process works in this directory, or the disk is full",
    Exit.NO_PERMISSION: "the operating system, or the mode of a file, forbids it",
    Exit.BAD_CONFIG: "a mistake in coordinator.toml or plan.toml; the message names line and key",
    Exit.INTERRUPTED: "interrupted with Ctrl-C",
}


def of_error(error: BaseException) -> tuple[str, Exit] | None:
    """The sentence and exit status for an error; None if it is a bug that nobody foresaw."""
    match error:
        case RefusedError():
            return str(error), _status(error.status)
        case NotRunningError():
            return str(error), Exit.NOT_RUNNING
        case StoreConflict():
            return str(error), Exit.REFUSED
        case FedtuiError():
            return str(error), _status(int(error.exit_code))
        case OSError():
            refusal = os_refusal(error)
            return str(refusal), _status(int(refusal.exit_code))
        case _:
            return None


def _status(number: int) -> Exit:
    return next((status for status in Exit if status == number), Exit.FAILED)
