"""Makes the plans and cohorts of the node's tests importable, and masked worlds."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[2]
sys.path += [str(TESTS / "node"), str(TESTS / "fedtui" / "simulation")]
