"""Makes tests/fakes, and a real coordinator, importable beside the contracts that they keep.

Never tests/ itself: with it in the path, tests/fedtui would be taken for the package.
"""

import sys
from pathlib import Path

sys.path += [str(Path(__file__).parents[1] / name) for name in ("fakes", "coordinator")]
