"""Where `fedtui-demo` begins: from its first moment on, Ctrl-C ends it with one line.

What it needs is imported only then. An interrupt within an import may come out of it as any other
error, so that until something was started a signal ends the process by itself.
"""

import contextlib
import os
import signal
import sys
from types import FrameType

INTERRUPTED = 128 + signal.SIGINT
SENTENCE = "interrupted: everything that the demo started is stopped"


def main() -> None:
    """Run the command and end the process with its exit status."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    from fedtui.demo import cli  # noqa: PLC0415  takes a moment, in which Ctrl-C may come

    status = cli.run()
    if status == INTERRUPTED:
        _say()
    sys.exit(status)


def _leave(_number: int, _frame: FrameType | None) -> None:
    """Nothing was started yet, so there is nothing to stop."""
    _say()
    os._exit(INTERRUPTED)


def _say() -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone
        os.write(2, f"{SENTENCE}\n".encode())
