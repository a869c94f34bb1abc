"""What the coordinator's commands refuse, each with its exit status."""

import errno
import os
from typing import ClassVar

from fedtui.errors import ExitCode, OperatorError


class BadRequestError(OperatorError):
    """What was asked for does not exist or does not fit."""

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE


class MissingInputError(OperatorError):
    """A file or folder that the command needs is not there."""

    exit_code: ClassVar[ExitCode] = ExitCode.MISSING_INPUT


class BadDataError(OperatorError):
    """A file was read but is not what it should be."""

    exit_code: ClassVar[ExitCode] = ExitCode.BAD_DATA


class CannotCreateError(OperatorError):
    """Something is already where a new thing should be written; nothing was overwritten."""

    exit_code: ClassVar[ExitCode] = ExitCode.CANNOT_CREATE


class NotRunningError(OperatorError):
    """The command needs a running coordinator."""

    exit_code: ClassVar[ExitCode] = ExitCode.UNAVAILABLE


class LockedError(OperatorError):
    """Another process works in the same directory."""

    exit_code: ClassVar[ExitCode] = ExitCode.TRY_LATER


class NoPermissionError(OperatorError):
    """The operating system does not let this user do it."""

    exit_code: ClassVar[ExitCode] = ExitCode.NO_PERMISSION


class DiskError(OperatorError):
    """The disk is full or failing; nothing half-written was left behind."""

    exit_code: ClassVar[ExitCode] = ExitCode.IO


def os_refusal(error: OSError) -> OperatorError:
    """The sentence for any other thing that the operating system refused."""
    place = f"{error.filename}: " if error.filename else ""
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return NoPermissionError(
            f"{place}{_reason(error)}: run as the user who owns the coordinator's directory"
        )
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskError(f"{place}{_reason(error)}: make room on the disk, then try again")
    if error.errno in {errno.ENOTDIR, errno.EEXIST}:
        return CannotCreateError(
            f"{place}a file is where a folder should be, or the other way round: "
            "choose another place"
        )
    if error.errno == errno.ENOENT:
        return MissingInputError(f"{place}there is no such file or folder")
    return DiskError(f"{place}{_reason(error)}")


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
