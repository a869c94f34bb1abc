"""Makes the cohort of tests/fedtui/secagg importable beside the properties that it shows."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "fedtui" / "secagg"))
