import subprocess
import sys

import pytest

from fedtui.errors import FedtuiError
from fedtui.learning.result import StoppedError, TrainError


@pytest.mark.parametrize("name", ["result", "training", "params", "metrics", "partition", "task"])
def test_what_daemon_and_coordinator_import_is_free_of_torch(name: str) -> None:
    code = f"import sys, fedtui.learning.{name}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_both_endings_are_ours() -> None:
    assert issubclass(TrainError, FedtuiError)
    assert issubclass(StoppedError, FedtuiError)
    assert not issubclass(StoppedError, TrainError), "a stop is no failure"
