"""Seconds, bytes and memory of a simulated round over the number of nodes, all of them in it.

    python -m benchmarks.results.cost_of_nodes [--short] [--only visible] [--out FOLDER]

A task that trains nothing (benchmarks/null_task.py), 10,000 values, serial engine.
"""

from __future__ import annotations

import statistics

from benchmarks.results import lines
from benchmarks.results.lines import Series
from benchmarks.results.section import Section, Table, main
from benchmarks.simulated import Run, null_plan, simulate

DIM = 10_000
SIZES = {
    "visible": (10, 30, 100, 300, 1000, 3000, 10_000),
    "masked": (10, 30, 100, 300),
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
            num_rounds = 4 if nodes >= 300 else 7
            run = simulate(null_plan(nodes=nodes, dim=DIM, rounds=num_rounds, masked=masked))
            seconds.append(run.median_s)
            rows.append(_row(updates, nodes, run))
        series.append(Series(MASKS[updates], sizes, seconds))
    return Section(
        name="cost_of_nodes",
        title="What a simulated round costs, over the number of nodes",
        parts=[
            f"A task that trains nothing, {DIM:,} values, all nodes in every round, one process. "
            "Bytes are those that a network would have carried, with the overhead of the channel; "
            "seconds are medians of the rounds after the first.",
            Table(
                ["masks", "nodes", "s a round", "ms a node", "bytes up a node", "down", "peak MB"],
                rows,
            ),
            "Straight lines through the seconds:",
            lines.table(series, each="node"),
        ],
        pictures={"Seconds a round over nodes": lines.picture(series, label="nodes")},
    )


def _row(updates: str, nodes: int, run: Run) -> list[str]:
    later = run.rounds[1:]
    return [
        MASKS[updates],
        f"{nodes:,}",
        f"{run.median_s:.3g}",
        f"{run.median_s * 1000 / nodes:.3g}",
        f"{statistics.median(one['bytes_up'] for one in later) / nodes:,.0f}",
        f"{statistics.median(one['bytes_down'] for one in later) / nodes:,.0f}",
        f"{run.peak_mb:,.0f}",
    ]


if __name__ == "__main__":
    main("cost_of_nodes", __doc__, measure)
