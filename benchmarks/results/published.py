"""Published figures that are nearest to ours, and what differs in how they were measured.

Only figures that could be read up are here: those of the README files of Flower's baselines
`niid_bench` and `fednova` (github.com/adap/flower, Apache-2.0), which repeat the experiments of Li
et al. (NIID-Bench, arXiv:2102.02079) and Wang et al. (FedNova, arXiv:2007.07481).
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from benchmarks.results.comparing import BASE
from benchmarks.results.section import Table

if TYPE_CHECKING:
    from benchmarks.results.curves import Curve

ABOUT_NIID = (
    "Beside published figures: Fashion-MNIST in the README of Flower's baseline `niid_bench`, "
    "which repeats NIID-Bench (Li et al., ICDE 2022, arXiv:2102.02079). Its settings differ: a "
    "CNN, 10 nodes that all take part, 10 local epochs, batches of 64, momentum 0.9, 50 rounds, "
    "the best accuracy of any round. So levels cannot be compared, only the differences to FedAvg."
)
NIID = {
    "iid": {
        BASE: (89.23, 0.45),
        "fedprox": (89.42, 0.09),
        "scaffold": (89.33, 0.27),
        "fednova": (89.36, 0.09),
    },
    "dirichlet:0.5": {
        BASE: (88.09, 0.29),
        "fedprox": (88.15, 0.42),
        "scaffold": (88.44, 0.25),
        "fednova": (88.22, 0.12),
    },
}
"""Accuracy in per cent, mean and deviation, by split and strategy."""

ABOUT_DRIFT = (
    "Published, as the baseline `niid_bench` repeats NIID-Bench on Fashion-MNIST with two labels "
    "a node (10 nodes that all take part, 10 epochs, momentum 0.9, a CNN): FedAvg 78.10 ± 2.51, "
    "FedProx 78.05 ± 0.99, SCAFFOLD 33.80 ± 41.22 per cent. SCAFFOLD's own figures, on EMNIST, "
    "are not quoted: they were not at hand to be checked."
)
ABOUT_FEDNOVA = (
    "Published, as the baseline `fednova` repeats its paper with CIFAR-10 and VGG-11 on as many "
    "nodes and the same split, plain SGD, 100 rounds: FedAvg 62.35 ± 1.33, FedNova 67.04 ± 0.94 "
    "per cent with two epochs; 64.30 ± 1.75 and 70.54 ± 0.43 with two to five, drawn at random."
)


def beside(ours: dict[str, dict[str, list[Curve]]]) -> Table:
    """NIID-Bench's figures beside those of our last rounds, by split and strategy; in per cent."""
    rows = []
    for split, found in ours.items():
        theirs = NIID.get(split, {})
        for label, (mean, deviation) in theirs.items():
            if label not in found:
                continue
            level, base = (
                100 * statistics.mean(one.within() for one in found[which])
                for which in (label, BASE)
            )
            rows.append(
                [
                    split,
                    label,
                    f"{mean:.2f} ± {deviation:.2f}",
                    "" if label == BASE else f"{mean - theirs[BASE][0]:+.2f}",
                    f"{level:.2f}",
                    "" if label == BASE else f"{level - base:+.2f}",
                ]
            )
    return Table(["split", "strategy", "published", "to FedAvg", "here", "to fedavg"], rows)
