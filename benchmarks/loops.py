"""What keeps an event loop busy for more than 10 ms: coordinator, node daemons and the screen.

    python -m benchmarks.loops --json
    python -m benchmarks.loops --dim 10000000

First three nodes and a coordinator do masked rounds with a model of `dim` values (300,000 are
1.2 MB), then three train on the digits while the screen is used as in benchmarks/screen.py. Every
callback of every loop is timed (loop_watch/sitecustomize.py); a run of a callback over 10 ms of
processor time is counted under its name, with the longest one in ms.
"""

import argparse
import asyncio
import json
import os
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks import rounds, screen

WATCH = Path(__file__).parent / "loop_watch"


def added_up(folder: Path) -> dict[str, Any]:
    """By kind of program: callbacks that ran, and the slow ones: {name: [how often, most ms]}."""
    found: dict[str, Any] = {}
    for path in sorted(folder.glob("*.json")):
        told = json.loads(path.read_text())
        one = found.setdefault(path.stem.rpartition("-")[0], {"callbacks": 0, "slow": {}})
        one["callbacks"] += told["num"]
        by_name: dict[str, list[float]] = defaultdict(list)
        for took_ms, name in told["slow"]:
            by_name[name].append(took_ms)
        for name, times in by_name.items():
            count, most = one["slow"].get(name, [0, 0.0])
            one["slow"][name] = [count + len(times), max(most, *times)]
    return found


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    of_rounds = argparse.Namespace(
        nodes=3, dim=options.dim, rounds=options.rounds, thin=False, secure=True
    )
    of_rounds.keystream = "chacha20"
    of_screen = argparse.Namespace(columns=120, rows=36, seconds=options.seconds, rounds=6)
    all_train = (screen.ALL_DATA,) * screen.NODES
    found: dict[str, Any] = {"dim": options.dim}
    for name, run in (
        ("rounds", rounds.measure(of_rounds)),
        ("screen", screen.run(of_screen, all_train)),
    ):
        folder = Path(tempfile.mkdtemp(prefix="fedtui-loops-"))
        os.environ["LOOP_WATCH"] = str(folder)
        try:
            await run
            found[name] = added_up(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dim", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(WATCH)
    found = asyncio.run(measure(options))
    if options.json:
        print(json.dumps(found))
        return
    for name in ("rounds", "screen"):
        for program, told in found[name].items():
            print(f"{name:8} {program:12} {told['callbacks']} callbacks")
            for what, (count, most) in sorted(told["slow"].items()):
                print(f"{'':21} {count} x {what}, at most {most} ms")


if __name__ == "__main__":
    main()
