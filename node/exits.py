"""What the exit status of `fedtui` means, and the exception that ends a command with one.

Numbers from 64 on are those of `fedtui.errors.ExitCode` (BSD's sysexits.h); the small ones below
are what a script around a node wants to tell apart. docs/operating.md prints this table.
"""

from __future__ import annotations

import errno
from enum import IntEnum

from fedtui import errors
from fedtui.status import Refused


class Exit(IntEnum):
    """Exit status of `fedtui`; the docstring of each member is its line in the table."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_RUNNING = 6
    REFUSED = 7
    UNAUTHORISED = 8
    IDENTITY_CHANGED = 9
    VERSION = 10
    BAD_DATA = 65
    MISSING_INPUT = 66
    UNREACHABLE = 69
    INTERNAL = 70
    CANNOT_CREATE = 73
    IO = 74
    TRY_LATER = 75
    PROTOCOL = 76
    NO_PERMISSION = 77
    INTERRUPTED = 130


MEANING = {
    Exit.OK: "done",
    Exit.FAILED: "did not work; the message says why",
    Exit.USAGE: "wrong arguments, or a mistake in node.toml (the message names line and key)",
    Exit.NOT_RUNNING: "no node is running for this profile",
    Exit.REFUSED: "refused by the plan consented to, by the operator, or by a limit",
    Exit.UNAUTHORISED: "the coordinator does not accept this node or its invite, or revoked it",
    Exit.IDENTITY_CHANGED: "the coordinator's key is not the one that was pinned",
    Exit.VERSION: "the two programs share no version of the protocol",
    Exit.BAD_DATA: "an invite, fingerprint, task or data file is not what it should be",
    Exit.MISSING_INPUT: "a file that was named does not exist",
    Exit.UNREACHABLE: "the coordinator does not answer; the node keeps trying",
    Exit.INTERNAL: "a bug in fedtui",
    Exit.CANNOT_CREATE: "an output file exists already or cannot be made",
    Exit.IO: "the disk is full or failed",
    Exit.TRY_LATER: "a temporary failure",
    Exit.PROTOCOL: "the other side broke the rules of the protocol",
    Exit.NO_PERMISSION: "a file's owner or mode forbids it",
    Exit.INTERRUPTED: "interrupted with Ctrl-C",
}

_OF_CLOSE_CODE: dict[int, Exit] = {
    errors.CloseCode.UNAUTHORISED: Exit.UNAUTHORISED,
    errors.CloseCode.REVOKED: Exit.UNAUTHORISED,
    errors.CloseCode.ROTATED: Exit.UNAUTHORISED,
    errors.CloseCode.PENDING_TIMEOUT: Exit.UNAUTHORISED,
    errors.CloseCode.IDENTITY_MISMATCH: Exit.IDENTITY_CHANGED,
    errors.CloseCode.VERSION: Exit.VERSION,
    errors.CloseCode.PROTOCOL: Exit.PROTOCOL,
    errors.CloseCode.CRYPTO: Exit.PROTOCOL,
}

REMEDIES: dict[int, str] = {
    errors.CloseCode.UNAUTHORISED: "ask the coordinator's operator for a new invite, then: "
    "fedtui join",
    errors.CloseCode.REVOKED: "talk to the coordinator's operator; a revoked node needs a new "
    "identity and a new invite: fedtui --profile NEW join",
    errors.CloseCode.ROTATED: "this is an old copy of the node: run it where its key was rotated, "
    "or put back identity.key from there, then: fedtui join",
    errors.CloseCode.PENDING_TIMEOUT: "ask the coordinator's operator to approve this node, then: "
    "fedtui join",
    errors.CloseCode.IDENTITY_MISMATCH: "compare fingerprints with the coordinator's operator; "
    "then join with a new invite, or: fedtui trust replace --id FINGERPRINT",
    errors.CloseCode.VERSION: "update the older of the two (here: pip install -U fedtui), or ask "
    "for a federation that speaks this node's version; nothing of this node was sent",
    errors.CloseCode.PROTOCOL: "a bug here or there: report it with 'fedtui log'",
    errors.CloseCode.SUPERSEDED: "the same identity runs elsewhere: stop it there, then: "
    "fedtui join",
}
"""What the operator does after a session ended for good with a code."""

_OF_ERRNO = {
    errno.ENOSPC: (Exit.IO, "free some space, then try again"),
    errno.EDQUOT: (Exit.IO, "free some space, then try again"),
    errno.EROFS: (Exit.IO, "the file system is read-only: choose another place"),
    errno.EIO: (Exit.IO, "the disk reports an error: look at the system's log"),
    errno.EACCES: (Exit.NO_PERMISSION, "check the owner and the mode of that file"),
    errno.EPERM: (Exit.NO_PERMISSION, "check the owner and the mode of that file"),
    errno.ENOENT: (Exit.MISSING_INPUT, "check the name"),
    errno.EEXIST: (Exit.CANNOT_CREATE, "choose another name"),
    errno.ENOTDIR: (Exit.CANNOT_CREATE, "a part of that path is a file: choose another place"),
    errno.EISDIR: (Exit.MISSING_INPUT, "that is a folder: name a file in it"),
}


class Stop(Refused):
    """Ends a command with one line on stderr (and the remedy) and this exit status."""

    def __init__(self, text: str, *, remedy: str = "", exit_code: int = Exit.FAILED) -> None:
        super().__init__(text, remedy=remedy, exit_code=int(exit_code))


def of_close_code(code: int) -> Exit:
    """The exit status for a session that the coordinator ended with `code`."""
    return _OF_CLOSE_CODE.get(code, Exit.UNREACHABLE)


def of_error(error: Exception) -> Refused | None:
    """How a person should hear of `error`; None if it is a bug that nobody foresaw."""
    match error:
        case Refused():
            return error
        case errors.ChannelError(code=code):
            return Stop(str(error), exit_code=of_close_code(code))
        case errors.KeyFileError(__cause__=OSError(errno=errno.ENOSPC | errno.EDQUOT)):
            return Stop(str(error), remedy="free some space, then try again", exit_code=Exit.IO)
        case errors.FedtuiError():
            return Stop(str(error), exit_code=error.exit_code)
        case OSError():
            exit_code, remedy = _OF_ERRNO.get(error.errno or 0, (Exit.IO, ""))
            where = f"{error.filename}: " if error.filename else ""
            return Stop(f"{where}{error.strerror or error}", remedy=remedy, exit_code=exit_code)
        case _:
            return None
