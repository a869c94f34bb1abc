"""A small strict applier of unified diffs: every hunk must fit, and fit in one place only.

    # what it breaks
    # red: tests/FILE.py, or tests/FILE.py::TEST, one a line: each of them must fail
    --- a/fedtui/secagg/graph.py
    +++ b/fedtui/secagg/graph.py
    @@ anything @@
     context
    -what was
    +what comes instead

Line numbers are not looked at, so a change elsewhere in the file does not spoil a patch; a change
of the patched lines does, and the patch must then be written anew.
"""

from dataclasses import dataclass
from pathlib import Path


class PatchError(ValueError):
    """The patch is no patch, or is not one for these sources."""


@dataclass(frozen=True)
class Hunk:
    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Patch:
    red: tuple[str, ...]
    hunks: tuple[Hunk, ...]


def parse(text: str) -> Patch:
    """Read a patch file."""
    red, hunks, path = [], [], ""
    old, new = [], []

    def close() -> None:
        if old or new:
            hunks.append(Hunk(path, "".join(old), "".join(new)))
            old.clear()
            new.clear()

    for line in text.splitlines(keepends=True):
        body = line[1:]
        if line.startswith("# red:"):
            red += line.removeprefix("# red:").split()
        elif line.startswith(("#", "--- a/")):
            continue
        elif line.startswith(("+++ b/", "@@")):
            close()
            path = line.removeprefix("+++ b/").strip() if line.startswith("+++") else path
        elif line.startswith("-"):
            old.append(body)
        elif line.startswith("+"):
            new.append(body)
        elif line.startswith((" ", "\n")):
            old.append(body or "\n")
            new.append(body or "\n")
        else:
            raise PatchError(f"this is no line of a patch: {line!r}")
    close()
    if not red or not hunks or not all(hunk.path for hunk in hunks):
        raise PatchError("a patch names the tests that it turns red, its files and its hunks")
    return Patch(tuple(red), tuple(hunks))


def apply(patch: Patch, root: Path) -> None:
    """Change the files below `root`."""
    for hunk in patch.hunks:
        file = root / hunk.path
        text = file.read_text()
        found = text.count(hunk.old)
        if found != 1 or hunk.old == hunk.new:
            raise PatchError(f"a hunk fits {found} places of {hunk.path}:\n{hunk.old}")
        file.write_text(text.replace(hunk.old, hunk.new))
