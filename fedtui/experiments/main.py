"""Where `fedtui-simulate` begins: from its first moment on, Ctrl-C ends it with one line."""

import contextlib
import os
import signal
import sys
from types import FrameType

INTERRUPTED = 128 + signal.SIGINT


def main() -> None:
    """Run the command and end the process with its exit status."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    from fedtui.experiments import cli  # noqa: PLC0415  takes a moment, in which Ctrl-C may come

    sys.exit(cli.run_command())


def _leave(_number: int, _frame: FrameType | None) -> None:
    """Nothing was begun yet, so there is nothing to keep."""
    with contextlib.suppress(OSError):  # the terminal may be gone
        os.write(2, b"interrupted: nothing was begun\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
