"""Accuracy against bytes: what each way of making updates smaller costs and saves.

    python -m benchmarks.results.communication [--short] [--only top_k] [--out FOLDER]

Digits, 20 nodes with unequal data (dirichlet:0.5), 10 a round. Bytes are of one update on its way
out, without the messages around it. Everything follows from the seed: it is the same anywhere.
"""

from __future__ import annotations

import statistics

from benchmarks.results.section import Section, Table, main
from benchmarks.simulated import simulate

SEEDS = (1, 2, 3)
ROUNDS = 40
PLAIN = "float32"
LANES = "2 lanes"
SUBSET = '[[transforms]]\nname = "random_subset"\noptions = {{ fraction = {}, scaled = {} }}\n'
TOP = '[[transforms]]\nname = "top_k"\noptions = {{ fraction = {} }}\n'
ROTATION = '[[transforms]]\nname = "hadamard"\n'
WAYS: dict[str, tuple[str, str, str]] = {  # updates, [privacy], more
    PLAIN: ("visible", "", ""),
    "top_k 0.2": ("visible", "", TOP.format(0.2)),
    "top_k 0.05": ("visible", "", TOP.format(0.05)),
    "top_k 0.01": ("visible", "", TOP.format(0.01)),
    LANES: ("masked", "lanes = 2\n", ""),
    "3 lanes": ("masked", "lanes = 3\n", ""),
    "4 lanes": ("masked", "lanes = 4\n", ""),
    "4 lanes, hadamard": ("masked", "lanes = 4\n", ROTATION),
    "2 lanes, random_subset 0.25, not scaled": ("masked", "", SUBSET.format(0.25, "false")),
    "2 lanes, random_subset 0.25": ("masked", "", SUBSET.format(0.25, "true")),
    "4 lanes, random_subset 0.25, hadamard": (
        "masked",
        "lanes = 4\n",
        SUBSET.format(0.25, "true") + ROTATION,
    ),
    "4 lanes, random_subset 0.05, hadamard": (
        "masked",
        "lanes = 4\n",
        SUBSET.format(0.05, "true") + ROTATION,
    ),
}
SHORT = (PLAIN, "top_k 0.05", LANES, "4 lanes, hadamard")


def plan(seed: int, updates: str, privacy: str, more: str, rounds: int) -> str:
    return f"""\
seed = {seed}
[federation]
name = "communication"
[task]
name = "digits"
[training]
epochs = 2
learning_rate = 0.05
update_clip = 2.0
[selection]
count = 10
minimum = 5
[weights]
by = "equal"
[rounds]
maximum = {rounds}
start_with = 20
[evaluation]
with_evaluator = true
{more}[privacy]
updates = "{updates}"
{privacy}[population]
nodes = 20
split = "dirichlet:0.5"
"""


def measure(short: bool, only: str) -> Section:
    seeds, rounds = (SEEDS[:1], 5) if short else (SEEDS, ROUNDS)
    rows: list[list[str]] = []
    plain_bytes = 0.0
    for way, (updates, privacy, more) in WAYS.items():
        if way != PLAIN and (only not in way or (short and way not in SHORT)):
            continue
        runs = [simulate(plan(seed, updates, privacy, more, rounds)) for seed in seeds]
        sent = statistics.mean(run.rounds[-1]["bytes_up"] / 10 for run in runs)
        plain_bytes = plain_bytes or sent
        halfway = statistics.mean(run.scores[rounds // 4 - 1] for run in runs)
        scores = [run.scores[-1] for run in runs]
        rows.append(
            [
                way,
                f"{sent:,.0f}",
                f"{sent / plain_bytes:.0%}",
                f"{halfway:.3f}",
                f"{statistics.mean(scores):.3f} ({min(scores):.3f} to {max(scores):.3f})",
            ]
        )
    return Section(
        name="communication",
        title="Accuracy against bytes",
        parts=[
            "Digits, 20 nodes with unequal data (dirichlet:0.5), 10 a round, update_clip 2, equal "
            f"weights; accuracy at the evaluator, means over {len(seeds)} seeds. Bytes are what a "
            "node sends in a round, all messages counted: of masked rounds about 3,000 are keys "
            "and shares. The plan's lanes and transforms are those of the first column; rotated "
            "updates have the value_range that follows from update_clip.",
            Table(
                [
                    "way",
                    "bytes up, node and round",
                    "of float32",
                    f"accuracy after {rounds // 4} rounds",
                    f"after {rounds}",
                ],
                rows,
            ),
        ],
    )


if __name__ == "__main__":
    main("communication", __doc__, measure)
