"""What secure aggregation costs by itself: CPU seconds of both halves, without network and disk.

    python -m benchmarks.secagg --nodes 100 --dim 1000000 --dropouts 10 --json

One whole attempt of suite pairwise/1: keys, roster, shares, masks, votes, reveals, unmasking. The
drop-outs are lost after their shares arrived and before their vectors do, which is the dearest
moment: their pair masks must be rebuilt. Training is a random vector made beforehand. Every half
runs on one core, so CPU seconds are what a core is busy; both sides' ciphers count.

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
from fedtui.crypto import keystream
from fedtui.crypto.keys import Identity
from fedtui.secagg import encoding, graph, masks, opening
from fedtui.secagg.context import Attempt
from fedtui.secagg.coordinator import Coordinator
from fedtui.secagg.encoding import Encoder, Encoding
from fedtui.secagg.participant import Participant
from fedtui.secagg.terms import Terms

WEIGHT = 0.5
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
    colluders = options.colluders or graph.default_colluders(options.nodes)
    minimum = graph.default_minimum(options.nodes, colluders)
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
        value_range=4.0,
    )
    costs = Costs()
    terms = Terms(colluders=colluders, minimum=minimum, largest=options.nodes, aes=True)
    with costs.by("coordinator"):
        half = Coordinator(
            attempt, coordinator, colluders=colluders, minimum=minimum, dropouts=options.dropouts
        )
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
        half.include()
    seeds = {}
    for identity in identities:
        with costs.by("coordinator"):
            mailbox = half.mailbox(identity.id, 1)
        with costs.by(names[identity.id]):
            seeds[identity.id] = nodes[identity.id].masks(mailbox)
    survivors = identities[options.dropouts :]
    total = np.zeros(layout.num_words, np.uint64)
    plain = np.zeros(layout.num_slots, np.int64)
    rng = np.random.default_rng(1)
    for identity in survivors:
        update_D = (rng.standard_normal(options.dim, np.float32) / 10).astype(np.float32)
        with costs.by(names[identity.id]):
            vector, _ = masks.masked(
                layout, update_D, SCALARS, weight=WEIGHT, of=seeds[identity.id]
            )
        with costs.by("coordinator"):
            total += vector
        plain += unmasked(layout, update_D)
    with costs.by("coordinator"):
        half.choose(identity.id for identity in survivors)
        message = half.survivors_message(1)
    for identity in survivors:
        with costs.by(names[identity.id]):
            vote = nodes[identity.id].vote(message)
        with costs.by("coordinator"):
            half.vote(identity.id, vote)
    with costs.by("coordinator"):
        votes = half.votes(1)
    for identity in survivors:
        with costs.by(names[identity.id]):
            reveal = nodes[identity.id].reveal(votes)
        with costs.by("coordinator"):
            half.reveal(identity.id, reveal)
    slots = []
    with costs.by("coordinator"):
        unmasking = half.unmasking()
        for index, place in encoding.chunks(layout):
            slots.append(opening.open_chunk(layout, total[place], index, unmasking))
    num_masks = len(unmasking.plus) + len(unmasking.minus)
    spent = [costs.of[names[identity.id]] for identity in survivors]
    return {
        "nodes": options.nodes,
        "dim": options.dim,
        "dropouts": options.dropouts,
        "lanes": options.lanes,
        "keystream": unmasking.keystream,
        "colluders": colluders,
        "degree": half.roster(1).degree,
        "threshold": half.threshold,
        "node_cpu_seconds": round(statistics.median(spent), 4),
        "coordinator_cpu_seconds": round(costs.of["coordinator"], 4),
        "upload_bytes": layout.num_bytes,
        "exact": bool(np.array_equal(np.concatenate(slots), plain)),
        "floor_seconds": {
            "node": round(floor(layout, half.roster(1).degree + 1, options.keystream), 4),
            "coordinator": round(floor(layout, num_masks, options.keystream), 4),
        },
    }


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
    options = parser.parse_args()
    found = run(options)
    show(found, as_json=options.json)


if __name__ == "__main__":
    main()
