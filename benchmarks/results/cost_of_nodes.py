"""Seconds, bytes and memory of a simulated round over the number of nodes, all of them in it.

    python -m benchmarks.results.cost_of_nodes [--short] [--only visible] [--out FOLDER]

A task that trains nothing (benchmarks/null_task.py), 10,000 values, serial engine.
"""

from __future__ import annotations

from benchmarks.results import lines
from benchmarks.results.lines import Series
from benchmarks.results.section import Section, Table, main
from benchmarks.simulated import Run, null_plan, simulate

DIM = 10_000
SIZES = {
    "visible": (10, 30, 100, 300, 1000, 3000, 10_000),
    "masked": (10, 20, 50, 100, 200),
}
SHORT = {"visible": (10, 30, 100), "masked": (10, 30)}
MASKS = {"visible": "off", "masked": "on"}


def measure(short: bool, only: str) -> Section:
    rows, series = [], []
    for updates, sizes in (SHORT if short else SIZES).items():
        if only not in updates:
            continue
        seconds = []
        for nodes in sizes:
            masked = updates == "masked"
            num_rounds = 4 if nodes >= (3000 if not masked else 100) else 12
            run = simulate(null_plan(nodes=nodes, dim=DIM, rounds=num_rounds, masked=masked))
            seconds.append(run.cpu_a_round_s)
            rows.append(_row(updates, nodes, run))
        series.append(Series(MASKS[updates], sizes, seconds))
    return Section(
        name="cost_of_nodes",
        title="What a simulated round costs, over the number of nodes",
        parts=[
            f"A task that trains nothing, {DIM:,} values, all nodes in every round, one process. "
            "Bytes are those that a network would have carried, with the overhead of the channel. "
            "Seconds are the median of the rounds after the first; other work makes them longer, "
            "and CPU seconds (the mean round's) hardly.",
            Table(
                ["masks", "nodes", *lines.COLUMNS],
                rows,
            ),
            "Straight lines through the CPU seconds:",
            lines.table(series, each="node"),
        ],
        pictures={"CPU seconds a round over nodes": lines.picture(series, label="nodes")},
    )


def _row(updates: str, nodes: int, run: Run) -> list[str]:
    return [MASKS[updates], f"{nodes:,}", *lines.costs(run, nodes)]


if __name__ == "__main__":
    main("cost_of_nodes", __doc__, measure)
