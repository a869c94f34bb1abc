"""Makes tests/fakes importable beside the contracts that the fakes keep.

Never tests/ itself: with it in the path, tests/fedtui would be taken for the package.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "fakes"))
