"""What durability costs: `python -m benchmarks.store [--updates 1000] [--megabytes 40] [--json]`.

Receipts of one round that arrive together, one commit alone, one model and one update of the given
size. All synced, in a fresh directory under the current one (--directory for another disk).
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from statistics import median

from benchmarks.printing import show
from coordinator.checkpoints import CheckpointWriter
from coordinator.spool import Promise, Spool
from coordinator.store import Store
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.rounds.records import Audited, RoundStarted, UpdateReceived

PIECE = bytes(2**16)


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


async def receipts(store: Store, num_updates: int) -> float:
    """Seconds for the concurrent commits of one update each."""
    nodes = [n.to_bytes(32, "big") for n in range(num_updates)]
    started = RoundStarted(
        1,
        1,
        phase="COLLECTING",
        model_digest=bytes(32),
        cohort=tuple(nodes),
        deadline=0.0,
        incarnation=1,
    )
    await store.commit([started])
    records = [
        UpdateReceived(
            1,
            1,
            node=node,
            digest=node,
            num_bytes=4,
            weight=1.0,
            sums={"examples": 100.0, "loss_sum": 12.5, "correct": 80.0},
        )
        for node in nodes
    ]
    begun = time.perf_counter()
    await asyncio.gather(*(store.commit([record]) for record in records))
    return time.perf_counter() - begun


async def alone(store: Store) -> float:
    """Median seconds of one commit that waits for no other."""
    times = []
    for _ in range(200):
        begun = time.perf_counter()
        await store.commit([Audited(actor="benchmark", action="waited", object="")])
        times.append(time.perf_counter() - begun)
    return median(times)


def write_model(directory: Path, num_bytes: int) -> None:
    manifest = Manifest((TensorSpec("w", (num_bytes // 4,)),))
    with CheckpointWriter(directory, 1, manifest) as writer:
        for _ in range(num_bytes // len(PIECE)):
            writer.write(PIECE)
        writer.finish()


def receive_update(directory: Path, num_bytes: int) -> None:
    state = blake2b(digest_size=32)
    for _ in range(num_bytes // len(PIECE)):
        state.update(PIECE)
    promise = Promise(1, 1, bytes(32), num_bytes, state.digest())
    upload = Spool(directory, quota_bytes=2 * num_bytes).receive(promise)
    while upload.offset < num_bytes:
        upload.write(upload.offset, PIECE)
    upload.finish()


def measure(directory: Path, num_updates: int, megabytes: int) -> dict[str, float]:
    num_bytes = megabytes * 2**20
    store = Store.open(directory)
    try:
        together = asyncio.run(receipts(store, num_updates))
        lone = asyncio.run(alone(store))
    finally:
        store.close()
    return {
        "receipts": num_updates,
        "receipts_s": round(together, 4),
        "commit_ms": round(1000 * lone, 3),
        "reopen_s": round(seconds(lambda: Store.open(directory).close()), 4),
        "model_mb": megabytes,
        "model_s": round(seconds(lambda: write_model(directory / "models", num_bytes)), 3),
        "update_s": round(seconds(lambda: receive_update(directory / "spool", num_bytes)), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=1000)
    parser.add_argument("--megabytes", type=int, default=40)
    parser.add_argument("--directory", type=Path, default=Path())
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.directory) as directory:
        found = measure(Path(directory), given.updates, given.megabytes)
    show(found, as_json=given.json)


if __name__ == "__main__":
    main()
