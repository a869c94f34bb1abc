"""What the coordinator's commands refuse, each with its exit status."""

import errno
import os
from typing import ClassVar

from fedtui.errors import ExitCode, OperatorError

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it: 128 + SIGINT."""


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


class BindError(OperatorError):
    """The coordinator cannot listen where it was told to."""

    exit_code: ClassVar[ExitCode] = ExitCode.TRY_LATER


class LockedError(OperatorError):
    """Another process works in the same directory."""

    exit_code: ClassVar[ExitCode] = ExitCode.TRY_LATER


class NoPermissionError(OperatorError):
    """The operating system does not let this user do it."""

    exit_code: ClassVar[ExitCode] = ExitCode.NO_PERMISSION


class DiskError(OperatorError):
    """The disk is full or failing; nothing half-written was left behind."""

    exit_code: ClassVar[ExitCode] = ExitCode.IO


def bind_refusal(error: OSError, host: str, port: int, *, section: str) -> OperatorError:
    """The sentence for a listener that could not start."""
    where = f"[{section}] in coordinator.toml"
    if error.errno == errno.EADDRINUSE:
        return BindError(
            f"port {port} on {host} is in use by another program: stop it, or set another port "
            f"under {where}"
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return NoPermissionError(
            f"this user may not listen on port {port}: set a port from 1024 on under {where}"
        )
    if error.errno == errno.EADDRNOTAVAIL or error.errno is None or error.errno < 0:
        return BindError(
            f"this machine has no address {host}: set one of its own, or 0.0.0.0 for all, as host "
            f"under {where}"
        )
    return BindError(f"cannot listen on {host} port {port}: {_reason(error)}; see {where}")


def os_refusal(error: OSError) -> OperatorError:
    """The sentence for any other thing that the operating system refused."""
    place = f"{error.filename}: " if error.filename else ""
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return NoPermissionError(
            f"{place}{_reason(error)}: run as the user who owns the coordinator's directory"
        )
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskError(f"{place}{_reason(error)}: make room on the disk, then try again")
    if error.errno == errno.ENOENT:
        return MissingInputError(f"{place}there is no such file or folder")
    return DiskError(f"{place}{_reason(error)}")


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
