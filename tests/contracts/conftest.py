"""Makes a real coordinator importable beside the contracts that it keeps.

Never tests/ itself: with it in the path, tests/fedtui would be taken for the package.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "coordinator"))
