"""What secure aggregation costs by itself: CPU seconds of both halves, without network and disk.

    python -m benchmarks.secagg --nodes 100 --dim 1000000 --dropouts 10 --json

One whole attempt of suite pairwise/1: keys, roster, shares, masks, votes, reveals, unmasking. The
drop-outs are lost after their shares arrived and before their vectors do, which is the dearest
moment: their pair masks must be rebuilt. Training is a random vector made beforehand. Every half
runs on one core, so CPU seconds are what a core is busy; both sides' ciphers count. With
`--group 3` the cohort is split, and each group's sum is opened by itself.

`model_cpu_seconds`: what the coordinator spends from the survivors' vectors to the next model, by
the code that it runs (fedtui/combining): adding up, opening, the plan's rule, the step. With
groups the rule is the median of their means, which are looked at and compared with it, too.

`exact`: the decoded sum equals the sum of the survivors' quantised values, computed without masks.
The floor that no code here can pass: one pass of the keystream and one addition per mask and word,
printed as `floor_seconds` for a node and the coordinator from a loop that does nothing else.
"""

import argparse
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import get_args

import numpy as np

from benchmarks.printing import show
from fedtui.combining.visible import Recipe, Start
from fedtui.crypto import keystream
from fedtui.crypto.keys import Identity
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.rounds.machine import Aggregate, Contribution
from fedtui.rounds.plan import (
    AggregatorSection,
    FederationSection,
    Plan,
    PrivacySection,
    TaskSection,
    WeightsSection,
)
from fedtui.secagg import encoding, graph, masks, opening
from fedtui.secagg.context import Attempt
from fedtui.secagg.coordinator import Unmasking
from fedtui.secagg.encoding import Encoder, Encoding
from fedtui.secagg.grouped import Grouped
from fedtui.secagg.participant import Participant
from fedtui.secagg.terms import Terms
from fedtui.simulation.mixing import Mixer, Values
from fedtui.wire.messages import ModelRef

WEIGHT = 0.5
RANGE = 4.0
SCALARS = {"weight": 1.0, "loss_sum": 3.25, "examples": 100.0}


class Costs:
    """CPU seconds by who spent them."""

    def __init__(self) -> None:
        self.of: dict[str, float] = {}

    @contextmanager
    def by(self, who: str) -> Iterator[None]:
        began = time.process_time()
        yield
        self.of[who] = self.of.get(who, 0.0) + time.process_time() - began


def run(options: argparse.Namespace) -> dict[str, object]:
    coordinator = Identity.from_seed(b"c" * 32)
    identities = [Identity.from_seed(i.to_bytes(32, "little")) for i in range(options.nodes)]
    names = {identity.id: f"node-{i}" for i, identity in enumerate(identities)}
    cohort = options.group or options.nodes
    colluders = options.colluders or graph.default_colluders(cohort)
    minimum = graph.default_minimum(cohort, colluders)
    attempt = Attempt(
        federation_id=b"f" * 32,
        coordinator_id=coordinator.id,
        purpose="update",
        round=1,
        attempt=1,
        incarnation=1,
        model_digest=b"m" * 32,
        plan_hash=b"p" * 32,
        keystream=options.keystream,
    )
    layout = Encoding(
        num_values=options.dim,
        scalars=tuple(SCALARS),
        lanes=options.lanes,
        largest_cohort=options.nodes,
        value_range=RANGE,
    )
    costs = Costs()
    numbers = {"colluders": colluders, "minimum": minimum, "group": options.group}
    terms = Terms(**numbers, largest=options.nodes, aes=True)
    with costs.by("coordinator"):
        half = Grouped(attempt, coordinator, **numbers, dropouts=options.dropouts)
    nodes = {}
    for identity in identities:
        with costs.by(names[identity.id]):
            nodes[identity.id] = Participant(
                attempt, terms, signer=identity, coordinator=coordinator.public, entropy=os.urandom
            )
            ready = nodes[identity.id].advertise()
        with costs.by("coordinator"):
            half.ready(identity.public, 0, ready)
    with costs.by("coordinator"):
        roster = half.introduce(1)
    for identity in identities:
        with costs.by(names[identity.id]):
            shares = nodes[identity.id].share(roster)
        with costs.by("coordinator"):
            half.shares(identity.id, shares)
    with costs.by("coordinator"):
        half.include(names)
    seeds = {}
    for identity in identities:
        with costs.by("coordinator"):
            mailbox = half.mailbox(identity.id, 1)
        with costs.by(names[identity.id]):
            seeds[identity.id] = nodes[identity.id].masks(mailbox)
    survivors = identities[options.dropouts :]
    groups = half.groups
    total = {at: np.zeros(layout.num_words, np.uint64) for at in groups}
    plain = {at: np.zeros(layout.num_slots, np.int64) for at in groups}
    rng = np.random.default_rng(1)
    vectors = {}
    for identity in survivors:
        update_D = (rng.standard_normal(options.dim, np.float32) / 10).astype(np.float32)
        with costs.by(names[identity.id]):
            vector, _ = masks.masked(
                layout, update_D, SCALARS, weight=WEIGHT, of=seeds[identity.id]
            )
        with costs.by("coordinator"):
            total[half.group_of(identity.id)] += vector
        vectors[identity.id] = vector
        plain[half.group_of(identity.id)] += unmasked(layout, update_D)
    with costs.by("coordinator"):
        half.choose(identity.id for identity in survivors)
    for identity in survivors:
        with costs.by("coordinator"):
            message = half.survivors_message(identity.id, 1)
        with costs.by(names[identity.id]):
            vote = nodes[identity.id].vote(message)
        with costs.by("coordinator"):
            half.vote(identity.id, vote)
    for identity in survivors:
        with costs.by("coordinator"):
            votes = half.votes(identity.id, 1)
        with costs.by(names[identity.id]):
            reveal = nodes[identity.id].reveal(votes)
        with costs.by("coordinator"):
            half.reveal(identity.id, reveal)
    with costs.by("coordinator"):
        unmaskings = {at: one.unmasking() for at, one in groups.items()}
        slots = opened(layout, total, unmaskings)
    with costs.by("model"):
        made_D = model(options, half, vectors)
    unmasking = next(iter(unmaskings.values()))
    means = [np.concatenate(slots[at])[: options.dim] / layout.scale for at in groups]
    means = [
        mean_D / WEIGHT / one.num_survivors
        for mean_D, one in zip(means, unmaskings.values(), strict=True)
    ]
    combined_D = np.median(means, axis=0) if options.group else means[0]
    degree = half.roster(1).degree or cohort - 1
    num_masks = sum(len(one.plus) + len(one.minus) for one in unmaskings.values())
    spent = [costs.of[names[identity.id]] for identity in survivors]
    return {
        "nodes": options.nodes,
        "dim": options.dim,
        "dropouts": options.dropouts,
        "lanes": options.lanes,
        "keystream": unmasking.keystream,
        "colluders": colluders,
        "group": options.group,
        "degree": degree,
        "threshold": next(iter(groups.values())).threshold,
        "node_cpu_seconds": round(statistics.median(spent), 4),
        "coordinator_cpu_seconds": round(costs.of["coordinator"], 4),
        "model_cpu_seconds": round(costs.of["model"], 4),
        "upload_bytes": layout.num_bytes,
        "exact": all(np.array_equal(np.concatenate(slots[at]), plain[at]) for at in groups)
        and np.allclose(made_D, combined_D, rtol=1e-5, atol=1e-6),
        "floor_seconds": {
            "node": round(floor(layout, degree + 1, options.keystream), 4),
            "coordinator": round(floor(layout, num_masks, options.keystream), 4),
        },
    }


def opened(
    layout: Encoding, total: dict[int, np.ndarray], unmaskings: dict[int, Unmasking]
) -> dict[int, list[np.ndarray]]:
    """The slots of every group's sum."""
    slots: dict[int, list[np.ndarray]] = {at: [] for at in total}
    for index, place in encoding.chunks(layout):
        for at, unmasking in unmaskings.items():
            slots[at].append(opening.open_chunk(layout, total[at][place], index, unmasking))
    return slots


def model(
    options: argparse.Namespace, half: Grouped, vectors: dict[bytes, np.ndarray]
) -> np.ndarray:
    """The model that the vectors make of one that is all zeros."""
    plan = Plan(
        federation=FederationSection(name="benchmark"),
        task=TaskSection(name="digits"),
        weights=WeightsSection(cap=round(1 / WEIGHT)),
        aggregator=AggregatorSection(name="median" if options.group else "mean"),
        privacy=PrivacySection(
            group=options.group or None,
            largest_cohort=options.nodes,
            lanes=options.lanes,
            value_range=RANGE,
        ),
    )
    manifest = Manifest((TensorSpec("w", (options.dim,)),))
    mixer = Mixer(Recipe.of(plan, manifest), plan)
    base = ModelRef(round=0, digest=b"m" * 32, num_bytes=4 * options.dim)
    parts = tuple(Contribution(node, b"d" * 32, 1) for node in sorted(vectors))
    start = Start(Values(np.zeros(options.dim, np.float32)), mixer.first_state())
    contents = [vectors[part.node] for part in parts]
    return mixer.mix(Aggregate(1, 1, base, parts, half), start, contents).model_D


def unmasked(layout: Encoding, update_D: np.ndarray) -> np.ndarray:
    """The integers of one node's vector, as it rounds them."""
    seed = masks.rounding_seed_of(update_D)
    encoder = Encoder(layout, update_D, SCALARS, weight=WEIGHT, rounding_seed=seed)
    return np.concatenate(
        [encoding.decode(layout, encoder.chunk(i), i, 1) for i in range(layout.num_chunks)]
    )


def floor(layout: Encoding, num_masks: int, by: keystream.Keystream) -> float:
    """CPU seconds of so many masks over a vector: the keystream and one addition a word."""
    words = np.zeros(keystream.CHUNK_WORDS, np.uint64)
    seeds = [i.to_bytes(32, "little") for i in range(min(num_masks, 20))]
    began = time.process_time()
    num_chunks = min(layout.num_chunks, 64)
    for index in range(num_chunks):
        keystream.add(words, index, seeds, by=by)
    per_mask_chunk = (time.process_time() - began) / (len(seeds) * num_chunks)
    return per_mask_chunk * num_masks * layout.num_words / keystream.CHUNK_WORDS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=10)
    parser.add_argument("--dim", type=int, default=1_000_000)
    parser.add_argument("--dropouts", type=int, default=0)
    parser.add_argument("--lanes", type=int, default=2, choices=encoding.LANES)
    parser.add_argument("--colluders", type=int, default=0, help="0: a fifth of the nodes")
    parser.add_argument("--keystream", choices=get_args(keystream.Keystream), default="chacha20")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--group", type=int, default=0, help="least members of a group; 0: none")
    options = parser.parse_args()
    if options.group and options.dropouts:
        parser.error("--group and --dropouts: a group of three is lost with any of its nodes")
    found = run(options)
    show(found, as_json=options.json)


if __name__ == "__main__":
    main()
