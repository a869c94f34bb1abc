"""Hardening is tried in a process of its own: it cannot be taken back."""

import subprocess
import sys

import pytest

CODE = """
import ctypes, os, resource
from node.hardening import harden
harden()
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
assert os.umask(0o077) == 0o077
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_K2_no_core_files_and_nobody_looks_into_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0", "PR_GET_DUMPABLE"
