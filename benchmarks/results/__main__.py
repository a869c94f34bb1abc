"""All of docs/results.md: each script in turn, in a process of its own, as its command says.

    python -m benchmarks.results [--short] [--out FOLDER]

Exit status: that of the first script that failed, else 0; the sections before it are in place.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.results.section import ORDER, ROOT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--short", action="store_true", help="small: a minute or two in all")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder of results.md")
    chosen = parser.parse_args()
    for name in ORDER:
        print(f"{name} ...", flush=True)
        command = [sys.executable, "-m", f"benchmarks.results.{name}", "--out", str(chosen.out)]
        status = subprocess.call(command + (["--short"] if chosen.short else []), cwd=ROOT)
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
