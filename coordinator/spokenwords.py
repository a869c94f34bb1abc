"""The six words of a fingerprint, made in a process of their own; the coordinator's are kept.

Making them takes 256 MiB for half a second, on purpose. So it happens in a process of its own and
the long-running one stays small. The words are public; their id is checked on reading.
"""

import subprocess
import sys
from pathlib import Path

import msgspec

from fedtui.crypto.words import words

FILE = "identity.words"
_TIMEOUT_S = 120.0


class _Kept(msgspec.Struct, frozen=True):
    id: str
    words: tuple[str, ...]


def command(identity_id: bytes) -> list[str]:
    """The command that prints the words of an id."""
    return [sys.executable, "-m", "coordinator.spokenwords", identity_id.hex()]


def parsed(said: bytes, identity_id: bytes) -> tuple[str, ...]:
    """The words in what that command printed.

    Raises:
        msgspec.DecodeError: it did not print the words of this id.
    """
    made = msgspec.json.decode(said, type=_Kept)
    if made.id != identity_id.hex():
        raise msgspec.DecodeError("the words of another id")
    return made.words


def kept(root: Path, identity_id: bytes) -> tuple[str, ...]:
    """The coordinator's words from its file; empty if it has none."""
    try:
        return parsed((root / FILE).read_bytes(), identity_id)
    except (OSError, msgspec.DecodeError):
        return ()


def spoken(root: Path, identity_id: bytes) -> tuple[str, ...]:
    """The words, from the file if it is there, else made now; empty if that fails."""
    known = kept(root, identity_id)
    if known:
        return known
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter and module
            command(identity_id), capture_output=True, check=True, timeout=_TIMEOUT_S
        )
        made = parsed(done.stdout, identity_id)
        (root / FILE).write_bytes(done.stdout)
    except (OSError, subprocess.SubprocessError, msgspec.DecodeError):
        return ()
    return made


def main(identity_hex: str) -> None:
    """Print the words of an id."""
    made = _Kept(identity_hex, words(bytes.fromhex(identity_hex)))
    sys.stdout.write(msgspec.json.encode(made).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
