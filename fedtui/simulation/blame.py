"""A sentence for what foreign code raised: a task's own file, a data set's reader."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fedtui.errors import ExitCode, FedtuiError, OperatorError


class TaskFailedError(OperatorError):
    """A task raised what it should not have, before any node could work with it."""

    exit_code = ExitCode.BAD_DATA


def sentence(error: BaseException) -> str:
    """What went wrong, and where in the file that raised it."""
    if isinstance(error, FedtuiError):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}, line {last.lineno}"
    return f"the task failed: {type(error).__name__}: {error} ({where})"


@contextmanager
def blamed() -> Iterator[None]:
    """Let foreign code run: whatever it raises becomes TaskFailedError.

    What fedtui raises on purpose, lack of memory and Ctrl-C go through as they are.
    """
    try:
        yield
    except (FedtuiError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise TaskFailedError(sentence(error)) from error
