"""The six words of the coordinator's fingerprint, made once and kept beside the key.

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


def spoken(root: Path, identity_id: bytes) -> tuple[str, ...]:
    """The words, from the file if it is there, else made now; empty if that fails."""
    path = root / FILE
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
        if kept.id == identity_id.hex():
            return kept.words
    except (OSError, msgspec.DecodeError):
        pass
    command = [sys.executable, "-m", "coordinator.spokenwords", identity_id.hex()]
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter and module
            command, capture_output=True, check=True, timeout=_TIMEOUT_S
        )
        made = msgspec.json.decode(done.stdout, type=_Kept)
        path.write_bytes(done.stdout)
    except (OSError, subprocess.SubprocessError, msgspec.DecodeError):
        return ()
    return made.words


def main(identity_hex: str) -> None:
    """Print the words of an id."""
    kept = _Kept(identity_hex, words(bytes.fromhex(identity_hex)))
    sys.stdout.write(msgspec.json.encode(kept).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
