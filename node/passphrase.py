"""Where the passphrase of a locked identity comes from: a file, the daemon's stdin, or a prompt.

Never from an argument or an environment variable's value: both can be read by others.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from fedtui.errors import KeyFileError

VARIABLE = "FEDTUI_PASSPHRASE_FILE"
MAX_CHARACTERS = 1024


def from_file() -> str | None:
    """The first line of the file that FEDTUI_PASSPHRASE_FILE names; None if it is not set.

    Raises:
        KeyFileError: the file cannot be read, or holds nothing.
    """
    name = os.environ.get(VARIABLE, "")
    if not name:
        return None
    try:
        with Path(name).open(encoding="utf-8") as file:
            found = file.readline(MAX_CHARACTERS).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{name}, named by {VARIABLE}, cannot be read: {error}") from error
    if not found:
        raise KeyFileError(f"{name}, named by {VARIABLE}, is empty: write the passphrase into it")
    return found


def from_stdin() -> str | None:
    """One line of stdin: how `fedtui` hands a passphrase to the daemon that it starts."""
    return sys.stdin.readline(MAX_CHARACTERS).rstrip("\r\n") or None
