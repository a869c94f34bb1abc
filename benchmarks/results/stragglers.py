"""What slow nodes cost: virtual time to a target with and without them, under each way to cope.

    python -m benchmarks.results.stragglers [--short] [--only deadline] [--out FOLDER]

Digits, 50 nodes with unequal data (dirichlet:0.5), 10 a round, target 90 %; three in ten nodes are
ten times slower. Virtual time follows from the plan and the seed: it is the same on any machine.
"""

from __future__ import annotations

import statistics

from benchmarks.results.section import Section, Table, main
from benchmarks.simulated import simulate

SEEDS = (1, 2, 3, 4, 5)
GOAL = 1.3
UNIFORM = "uniform"
INVITE = 'name = "deadline"\noptions = { invite = 1.3 }\n'
UTILITY = 'name = "utility"\n'
LEARN = "[deadlines]\nlearn = true\n"
PARTIAL = f"{LEARN}partial = true\n"
BUFFER = '[deadlines]\nlate = "buffer"\n[strategy]\nname = "fedbuff"\n'
WAYS = {
    UNIFORM: ("", ""),
    "uniform, learned deadline": ("", LEARN),
    "uniform, learned deadline, partial work": ("", PARTIAL),
    "deadline (invite 1.3)": (INVITE, ""),
    "deadline (invite 1.3), learned deadline": (INVITE, LEARN),
    "deadline (invite 1.3), learned deadline, partial work": (INVITE, PARTIAL),
    "utility, learned deadline": (UTILITY, LEARN),
    "all, late updates buffered (fedbuff)": ("", BUFFER),
}
SHORT = (UNIFORM, "deadline (invite 1.3), learned deadline")
SLOW = "slow = 0.3\nslow_factor = 10\n"


def plan(seed: int, selection: str, deadlines: str, slow: str) -> str:
    return f"""\
seed = {seed}
[federation]
name = "stragglers"
[task]
name = "digits"
[training]
epochs = 2
learning_rate = 0.05
[selection]
{selection}count = 10
minimum = 5
{deadlines}[rounds]
maximum = 200
target = 0.9
start_with = 50
[evaluation]
with_evaluator = true
[privacy]
updates = "visible"
[population]
nodes = 50
split = "dirichlet:0.5"
[population.speed]
examples_per_s = 10
spread = 0.2
{slow}"""


def to_target(text: str) -> tuple[float, int]:
    """Virtual seconds and rounds until the target; infinite seconds if it was not reached."""
    rounds = simulate(text).rounds
    reached = rounds[-1]["score"] >= 0.9
    return rounds[-1]["ended_s"] if reached else float("inf"), len(rounds)


def measure(short: bool, only: str) -> Section:
    seeds = SEEDS[:1] if short else SEEDS
    rows: list[list[str]] = []
    plain = [to_target(plan(seed, "", "", ""))[0] for seed in seeds]
    for way, (selection, deadlines) in WAYS.items():
        if only not in way or (short and way not in SHORT):
            continue
        without = [to_target(plan(seed, selection, deadlines, ""))[0] for seed in seeds]
        found = [to_target(plan(seed, selection, deadlines, SLOW)) for seed in seeds]
        seconds = [one for one, _ in found]
        rows.append(
            [
                way,
                f"{statistics.mean(num for _, num in found):.1f}",
                f"{statistics.mean(without):.0f}",
                f"{statistics.mean(seconds):.0f}",
                _ratios(seconds, without),
                _ratios(seconds, plain),
            ]
        )
    return Section(
        name="stragglers",
        title="What slow nodes cost, and what helps",
        parts=[
            "Digits, 50 nodes with unequal data (dirichlet:0.5), 10 wanted a round, until the "
            "evaluator measures 90 %. With slow nodes three in ten are ten times slower. Seconds "
            f"are virtual, means over {len(seeds)} seeds; a ratio is the mean of the seeds' own, "
            "with the smallest and the largest. With late updates buffered all 50 train, and the "
            "first 10 that are ready make a round. The goal is a ratio of at most "
            f"{GOAL} to the same plan without slow nodes.",
            Table(
                [
                    "selection and deadlines",
                    "rounds",
                    "s without slow nodes",
                    "s with them",
                    "ratio",
                    "ratio to uniform without them",
                ],
                rows,
            ),
        ],
    )


def _ratios(seconds: list[float], base: list[float]) -> str:
    found = [one / other for one, other in zip(seconds, base, strict=True)]
    return f"{statistics.mean(found):.2f} ({min(found):.2f} to {max(found):.2f})"


if __name__ == "__main__":
    main("stragglers", __doc__, measure)
