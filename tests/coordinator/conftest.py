"""Makes the scripted parts here, and those of tests/fakes, importable beside the tests."""

import sys
from pathlib import Path

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "fakes")]
