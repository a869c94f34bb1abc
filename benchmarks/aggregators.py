"""What each aggregator costs: CPU seconds for a million values, beside the mean.

    python benchmarks/aggregators.py --nodes 10 100 --dim 1000000 --json

Updates lie in memory, so what is timed is reading rules, not disks: both passes of rules that go
by distances, the mixing, and what is seen of each update on the way (lengths and cosines), which
costs the same whatever the rule. Seconds are those of all cores together; `wall` is what passed.
"""

import argparse
import json
import time

import numpy as np

from fedtui import plugins
from fedtui.combining.visible import Recipe, Sink, Start, combine
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.simulation.mixing import Values
from fedtui.strategies.fedavg import FedAvg


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[10, 100])
    parser.add_argument("--dim", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = [
        one(name, mix, num, options.dim)
        for num in options.nodes
        for mix in (None, 0.2)
        for name in plugins.names("aggregators")
        if mix is None or not plugins.build("aggregators", name).guided
    ]
    if options.json:
        print(json.dumps(found))
        return
    for line in found:
        print("{nodes:>5} nodes  {rule:<24} {cpu:7.3f} s CPU  {wall:7.3f} s".format(**line))


def one(name: str, mix: float | None, num: int, dim: int) -> dict[str, object]:
    rng = np.random.default_rng(1)
    manifest = Manifest((TensorSpec("w", (dim,)),))
    updates = [(Values(rng.standard_normal(dim, np.float32)), 1) for _ in range(num)]
    recipe = Recipe(manifest, plugins.build("aggregators", name), FedAvg(), mix)
    start = Start(Values(np.zeros(dim, np.float32)))
    cpu, wall = time.process_time(), time.perf_counter()
    combine(recipe, start, updates, Sink(len), guide=0)
    scale = 1_000_000 / dim
    return {
        "nodes": num,
        "rule": name + (" with mix" if mix else ""),
        "cpu": round((time.process_time() - cpu) * scale, 3),
        "wall": round((time.perf_counter() - wall) * scale, 3),
    }


if __name__ == "__main__":
    main()
