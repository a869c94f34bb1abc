"""Seconds, bytes and memory of a simulated round over the number of the model's values.

    python -m benchmarks.results.cost_of_values [--short] [--only visible] [--out FOLDER]

A task that trains nothing (benchmarks/null_task.py), 10 nodes, serial engine.
"""

from __future__ import annotations

from benchmarks.results import lines
from benchmarks.results.lines import Series
from benchmarks.results.section import Section, Table, main
from benchmarks.simulated import Run, null_plan, simulate

NODES = 10
SIZES = {
    "visible": (10**4, 10**5, 10**6, 10**7, 10**8),
    "masked": (10**4, 10**5, 10**6, 10**7),
}
SHORT = {"visible": (10**3, 10**4, 10**5), "masked": (10**3, 10**4)}
MASKS = {"visible": "off", "masked": "on"}


def measure(short: bool, only: str) -> Section:
    rows, series = [], []
    for updates, sizes in (SHORT if short else SIZES).items():
        if only not in updates:
            continue
        seconds = []
        for dim in sizes:
            masked = updates == "masked"
            num_rounds = 4 if dim >= 10**7 else 12
            run = simulate(null_plan(nodes=NODES, dim=dim, rounds=num_rounds, masked=masked))
            seconds.append(run.cpu_a_round_s)
            rows.append(_row(updates, dim, run))
        series.append(Series(MASKS[updates], sizes, seconds))
    return Section(
        name="cost_of_values",
        title="What a simulated round costs, over the size of the model",
        parts=[
            f"A task that trains nothing, {NODES} nodes, one process; seconds and bytes as above.",
            Table(["masks", "values", *lines.COLUMNS], rows),
            "Straight lines through the CPU seconds:",
            lines.table(series, each="value"),
        ],
        pictures={"CPU seconds a round over values": lines.picture(series, label="values")},
    )


def _row(updates: str, dim: int, run: Run) -> list[str]:
    return [MASKS[updates], f"{dim:,}", *lines.costs(run, NODES)]


if __name__ == "__main__":
    main("cost_of_values", __doc__, measure)
