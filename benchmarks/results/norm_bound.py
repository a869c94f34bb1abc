"""A bound on updates that is enforced on the sums of groups alone: how far a cheater still gets.

    python -m benchmarks.results.norm_bound [--short] [--only median] [--out FOLDER]

Digits, 30 nodes with alike data, masked, in random groups of 3, sign flip. `update_clip` is half
as much again as the median length of honest updates. A cheater that sends the opposite of what it
learned, 1.5 times as long, keeps to the clip: no check of single updates could do more than hold
it to that. Longer ones are found out only where the sum of their group becomes too long.
Everything follows from the seed: it is the same anywhere.
"""

from __future__ import annotations

import statistics

from benchmarks.results.section import Section, Table, main
from benchmarks.simulated import RunError, simulate

SEEDS = (1, 2)
ROUNDS = 20
NODES = 30
CLIP = 0.25
WITHIN = 1.5
RULES = ("mean", "median", "geometric_median")
STRENGTHS = (WITHIN, 3.0, 4.5, 6.0, 10.0)
SHARES = (0.1, 0.2)


def plan(seed: int, rule: str, bad: float, strength: float, *, clip: bool, rounds: int) -> str:
    malice = f"""\
[[population.malice]]
attack = "sign_flip"
fraction = {bad}
options = {{ strength = {strength} }}
"""
    return f"""\
seed = {seed}
[federation]
name = "norm bound"
[task]
name = "digits"
[training]
epochs = 2
learning_rate = 0.05
{f"update_clip = {CLIP}" if clip else ""}
[selection]
minimum = 9
[aggregator]
name = "{rule}"
[weights]
by = "equal"
[rounds]
maximum = {rounds}
start_with = {NODES}
[evaluation]
with_evaluator = true
[privacy]
largest_cohort = {NODES}
group = 3
[population]
nodes = {NODES}
split = "iid"
{malice if bad else ""}"""


def cell(plans: list[str]) -> str:
    """Accuracy in the end, and how many groups were left out, a round."""
    try:
        runs = [simulate(one) for one in plans]
    except RunError:
        return "no model: too few groups left"
    score = statistics.mean(run.scores[-1] for run in runs)
    counted = statistics.mean(one["num_counted"] for run in runs for one in run.rounds)
    lost = NODES - counted
    return f"{score:.3f}" + (f" ({lost / 3:.1f} groups left out)" if lost >= 0.15 else "")


def measure(short: bool, only: str) -> Section:
    seeds, rounds = (SEEDS[:1], 3) if short else (SEEDS, ROUNDS)
    strengths, shares = (STRENGTHS[1:2], SHARES[:1]) if short else (STRENGTHS, SHARES)
    rows = []
    for rule in RULES[: 1 if short else None]:
        if only not in rule:
            continue
        for bad in shares:
            tries = [(0.0, WITHIN, True)] + [(bad, strength, True) for strength in strengths]
            tries.append((bad, STRENGTHS[-1], False))
            found = [
                cell([plan(seed, rule, *one, clip=clip, rounds=rounds) for seed in seeds])
                for *one, clip in tries
            ]
            rows.append([rule, f"{bad:.0%}", *found])
    return Section(
        name="norm_bound",
        title="A bound that only the sums of groups enforce",
        parts=[
            f"Digits, {NODES} nodes with alike data, masked, groups of 3, sign flip; update_clip "
            f"{CLIP}, 1.5 times the median length of honest updates; accuracy at the evaluator "
            f"after {rounds} rounds, mean of {len(seeds)} seeds. `x 1.5` keeps to the clip: it is "
            "all that a check of every single update would leave. What is longer is seen where "
            "the sum of its group is longer than 3 clips, and costs the group.",
            Table(
                ["rule over groups", "bad nodes", "no attack"]
                + [f"x {strength:g}" for strength in strengths]
                + [f"x {STRENGTHS[-1]:g}, no bound"],
                rows,
            ),
        ],
    )


if __name__ == "__main__":
    main("norm_bound", __doc__, measure)
