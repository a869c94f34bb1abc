"""Makes the plans and cohorts of the node's tests importable."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "node"))
