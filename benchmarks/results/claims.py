"""Strategies in the settings for which their papers claim a gain over FedAvg.

    python -m benchmarks.results.claims [--short] [--only sparse] [--out FOLDER]

Many local steps on skewed data, unequal local steps, sparse gradients; three seeds, a quarter of
an hour on one core, kept run by run in fedtui-runs/strategies.jsonl. In short: sparse gradients
only, few rounds, one seed, nothing kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmarks.results import published
from benchmarks.results.comparing import BASE, compared
from benchmarks.results.curves import Kept
from benchmarks.results.section import Section, Table, main
from benchmarks.results.strategies import KEPT, SEEDS
from benchmarks.results.trials import BAG_OF_WORDS, Way, World

ALL = {"population": 100}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A setting and the ways to train in it; `about` says what is claimed, and what was tried."""

    name: str
    about: str
    world: World
    ways: dict[str, Way]


DRIFT = Claim(
    name="many local steps on skewed data",
    about=(
        "Where nodes take many steps on unlike data, fedprox is to hold them back and scaffold to "
        "correct their drift. Fashion-MNIST, about two classes a node (shards:2), 20 of 100 nodes "
        "a round, 20 rounds of 5 epochs, batches of 64, learning rate 0.1 unless a row says "
        "otherwise. " + published.ABOUT_DRIFT
    ),
    world=World(
        task="fashion_mnist",
        split="shards:2",
        nodes=100,
        count=20,
        rounds=20,
        epochs=5,
        batch_size=64,
    ),
    ways={
        BASE: Way(strategy="fedavg"),
        "fedavg, learning rate 0.03": Way(strategy="fedavg", learning_rate=0.03),
        "fedprox, mu 0.1": Way(strategy="fedprox", options={"mu": 0.1}),
        "fedprox, mu 1": Way(strategy="fedprox", options={"mu": 1.0}),
        "scaffold": Way(strategy="scaffold", options=ALL),
        "scaffold, learning rate 0.03": Way(strategy="scaffold", options=ALL, learning_rate=0.03),
    },
)
SIZES = Claim(
    name="unequal local steps: unequal data",
    about=(
        "With more examples a node takes more steps of an epoch, and fednova is to take that "
        "weight from it. Fashion-MNIST, 16 nodes that all take part, dirichlet:0.1, weighed by "
        "examples, 20 rounds of one epoch, batches of 64. " + published.ABOUT_FEDNOVA
    ),
    world=World(
        task="fashion_mnist",
        split="dirichlet:0.1",
        nodes=16,
        count=16,
        rounds=20,
        batch_size=64,
        weights="examples",
    ),
    ways={BASE: Way(strategy="fedavg"), "fednova": Way(strategy="fednova")},
)
SLOW = Claim(
    name="unequal local steps: slow nodes",
    about=(
        "The same nodes, weighed equally; half of them are ten times slower and send the steps "
        "that they made when the learned time is over. fedavg in its own row counts them, too; "
        "the fedprox paper's leaves them behind."
    ),
    world=replace(SIZES.world, weights="equal", slow=0.5, partial=True),
    ways={
        BASE: Way(strategy="fedavg"),
        "fedavg, slow nodes left behind": Way(strategy="fedavg", partial=False),
        "fednova": Way(strategy="fednova"),
        "fedprox, mu 0.1": Way(strategy="fedprox", options={"mu": 0.1}),
    },
)
SPARSE = Claim(
    name="sparse gradients",
    about=(
        "A server that scales each value's step by its history is to help where most values of "
        "most updates are zero, as in the tag prediction of Reddi et al. (whose figures are not "
        "quoted: they were not at hand to be checked). A logistic regression over bags of made-up "
        "words stands in for its texts (benchmarks/bag_of_words.py). 100 nodes, 10 a round, "
        "dirichlet:0.5, 40 rounds of one epoch, batches of 32. Chosen on seed 11: the local rate "
        "10, best for fedavg among 1, 3, 10, 30, 100 and 300, for all (a server's rate of 3 or 10 "
        "made fedavg worse); the server's rate 1 of 0.03, 0.1, 0.3 and 1 for adam, also used for "
        "yogi, and 3 of 0.1, 0.3, 1 and 3 for adagrad; 1 for fedavgm."
    ),
    world=World(
        task=BAG_OF_WORDS.stem,
        split="dirichlet:0.5",
        nodes=100,
        count=10,
        rounds=40,
        learning_rate=10.0,
    ),
    ways={
        BASE: Way(strategy="fedavg"),
        "fedavgm": Way(strategy="fedavgm", options={"momentum": 0.9, "server_learning_rate": 1.0}),
        "fedopt adam": Way(
            strategy="fedopt", options={"optimizer": "adam", "server_learning_rate": 1.0}
        ),
        "fedopt yogi": Way(
            strategy="fedopt", options={"optimizer": "yogi", "server_learning_rate": 1.0}
        ),
        "fedopt adagrad": Way(
            strategy="fedopt", options={"optimizer": "adagrad", "server_learning_rate": 3.0}
        ),
    },
)
CLAIMS = (DRIFT, SIZES, SLOW, SPARSE)


def measure(short: bool, only: str) -> Section:
    kept = Kept(None if short else KEPT)
    seeds = SEEDS[:1] if short else SEEDS
    parts: list[str | Table] = []
    for claim in CLAIMS:
        if only not in claim.name or (short and claim is not SPARSE):
            continue
        world = replace(claim.world, rounds=8) if short else claim.world
        curves = {
            label: [world.curve(kept, way, seed) for seed in seeds]
            for label, way in claim.ways.items()
        }
        table, said = compared(curves)
        parts += [f"**{claim.name}**. {claim.about} At equal rounds: {said}.", table]
    return Section(name="claims", title="Strategies where their papers claim a gain", parts=parts)


if __name__ == "__main__":
    main("claims", __doc__, measure)
