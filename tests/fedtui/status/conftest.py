"""Makes tests/fakes importable beside the tests that use them."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "fakes"))
