"""Answers with Google's dp-accounting, in a process of its own: lines of JSON in and out.

Started by accounting.py and never imported: the library brings scipy and 100 MB of memory, which
neither a daemon nor a screen has. It ends when its input does.

Every question is about one Gaussian (spending.py), for which the library has the exact relation of
epsilon and delta (Balle and Wang, arXiv:1805.06530); privacy loss distributions only approach it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec

from fedtui.privacy.accounting import Asked, Told

if TYPE_CHECKING:
    from typing import BinaryIO

MAX_LINE_BYTES = 512


def answered(line: bytes) -> Told:
    """The answer to one line."""
    try:
        import dp_accounting  # noqa: PLC0415  its absence is an answer too
    except ImportError as error:
        return Told(wrong=f"dp-accounting cannot be loaded ({error}): install fedtui again")
    try:
        asked = msgspec.json.decode(line, type=Asked)
        if asked.find == "epsilon":
            value = dp_accounting.get_epsilon_gaussian(asked.given, asked.delta)
        else:
            value = dp_accounting.get_sigma_gaussian(asked.given, asked.delta)
    except (ValueError, RuntimeError, ArithmeticError) as error:
        return Told(wrong=f"no answer: {error}")
    return Told(value=float(value))


def main(lines: BinaryIO, answers: BinaryIO) -> None:
    """Answer every line, in order."""
    while line := lines.readline(MAX_LINE_BYTES):
        answers.write(msgspec.json.encode(answered(line)) + b"\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
