import subprocess
import sys

import pytest

LOOK = """
import ctypes, os, resource
from coordinator.hardening import harden
harden()
print(resource.getrlimit(resource.RLIMIT_CORE), oct(os.umask(0)))
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has PR_SET_DUMPABLE")
def test_K2_no_core_file_no_debugger_no_readable_files() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, check=True, text=True)
    assert done.stdout.split("\n")[:2] == ["(0, 0) 0o77", "0"]
