"""The published table of attacks that is nearest to ours, and what differs.

The figures are those of the README of samuele-lolli/Aggregation-Federated-Learning-Analysis
(Flower, Fashion-MNIST), means over its 15 seeds.
"""

from __future__ import annotations

from benchmarks.results.section import Table

ABOUT = (
    "Published, nearest to this: samuele-lolli/Aggregation-Federated-Learning-Analysis, with "
    "Flower: Fashion-MNIST, a CNN, 10 nodes, 2 of them bad, 40 rounds, 15 seeds. Levels cannot be "
    "compared (another model, more training); the order of the rules can."
)
TABLE = Table(
    ["published, 2 of 10 bad", "FedAvg", "median", "trimmed mean", "Multi-Krum"],
    [
        ["label flip", "78.0", "83.5", "83.4", "86.8"],
        ["Gaussian", "66.3", "86.7", "86.5", "86.9"],
    ],
)
ORDER = (
    "The order agrees as far as ours can tell: FedAvg is last under label flip and under "
    "noise, and Multi-Krum loses least. The differences are far smaller here: three times the "
    "nodes, none of which has much of a class alone, and twelve rounds."
)
