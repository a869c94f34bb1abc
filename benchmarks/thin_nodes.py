"""Many nodes in one process: real keys, links, ledgers and rounds, but no trainer processes.

Started by rounds.py. Prints one JSON line when all nodes are enrolled, then runs until SIGTERM.
"""

import argparse
import asyncio
import json
import resource
import signal
import time
from hashlib import blake2b
from pathlib import Path

import numpy as np

from fedtui.secagg import masks
from fedtui.secagg.participant import Masks
from fedtui.status import NodeStatus
from fedtui.wire.invite import Invite
from node import config as configs
from node import keystore, tasks
from node.board import Board
from node.controls import Node
from node.home import Home
from node.jobs import (
    Checked,
    CheckJob,
    Job,
    JobFailed,
    Masked,
    MaskJob,
    Outcome,
    Trained,
    TrainJob,
)
from node.ledger import Ledger
from node.link import Link
from node.models import Models
from node.own_key import OwnKey
from node.paths import profile
from node.trainer import TrainerLimits
from node.updates import Updates

AT_ONCE = 32


class ReadyTrainer:
    """A Trainer whose every update was made beforehand; it only writes the file."""

    def __init__(self, update: bytes) -> None:
        self._update = update
        self._digest = blake2b(update, digest_size=32).hexdigest()
        self.state = "idle"
        self.last_exit: str | None = None

    async def start(self) -> None:
        pass

    async def run(self, job: Job, *, on_progress: object) -> Outcome:
        del on_progress
        if isinstance(job, CheckJob):
            return Checked(job_id=job.job_id)
        if isinstance(job, MaskJob):
            return await asyncio.to_thread(mask, job)
        if not isinstance(job, TrainJob):
            return JobFailed(job_id=job.job_id, reason="nothing is held out", kind="task")
        await asyncio.to_thread(Path(job.out_path).write_bytes, self._update)
        return Trained(
            job_id=job.job_id,
            out_path=job.out_path,
            digest=self._digest,
            num_examples=1,
            sums={"loss_sum": 1.0, "examples": 1.0},
            seconds=0.0,
        )

    async def cancel(self) -> None:
        pass

    async def kill(self) -> None:
        pass

    def limit(self, limits: TrainerLimits) -> None:
        """It does no work that could be limited."""

    async def close(self) -> None:
        pass


def mask(job: MaskJob) -> Masked:
    """What the trainer process does with an update under masks."""
    update_D = np.fromfile(job.update_path, "<f4")
    of = Masks(job.plus, job.minus, job.keystream)
    words, num_saturated = masks.masked(
        job.encoding, update_D, job.scalars, weight=job.weight, of=of
    )
    data = words.astype("<u8").tobytes()
    Path(job.out_path).write_bytes(data)
    return Masked(
        job_id=job.job_id,
        out_path=job.out_path,
        digest=blake2b(data, digest_size=32).hexdigest(),
        num_bytes=len(data),
        num_saturated=num_saturated,
    )


def make_node(index: int, invite: Invite, update: bytes) -> Node:
    """One profile with its files, as the daemon makes it."""
    home = profile(f"thin-{index}")
    home.create()
    table = configs.CoordinatorTable(
        id=invite.coordinator_id.hex(), addresses=list(invite.addresses)
    )
    privacy = configs.PrivacyTable(require_masked=False)  # whatever the plan of the benchmark is
    config = configs.NodeConfig(label=home.name, coordinator=table, privacy=privacy)
    configs.save(home.config, config)
    tasks.add(home, Path(__file__).parent / "null_task.py")
    key = OwnKey.open(home.root)
    first = NodeStatus(label=home.name, profile=home.name, node_id=key.identity.id.hex())
    parts = Home(
        profile=home,
        key=key,
        trust=keystore.TrustStore(home.root),
        board=Board(first, clock=time.monotonic),
        ledger=Ledger(home.ledger),
        models=Models(home.models),
        updates=Updates(home.work),
        trainer=ReadyTrainer(update),
        clock=time.monotonic,
    )

    def dial(config: configs.NodeConfig, hello: object, handler: object) -> Link:
        return Link(
            key.identity,
            addresses=config.coordinator.addresses,
            coordinator_id=bytes.fromhex(config.coordinator.id),
            hello=hello,
            handler=handler,
        )

    return Node(parts, dial)


async def enrol(node: Node, invite: str, plan: str, gate: asyncio.Semaphore) -> None:
    """Join, consent to exactly this plan, and wait until the node may take work."""
    async with gate:
        await node.join(invite)
        async for seen in node.watch():
            if seen.state == "asking" and seen.plan is not None and not seen.consented:
                await node.consent(plan)
            elif seen.state in {"waiting", "training", "uploading"}:
                return
            elif seen.problem is not None:
                raise RuntimeError(seen.problem.text)


async def serve(options: argparse.Namespace) -> None:
    text = options.invite.read_text().strip()
    values = np.random.default_rng(1).standard_normal(options.dim, np.float32) * np.float32(0.01)
    update = values.tobytes()
    nodes = [make_node(i, Invite.parse(text), update) for i in range(options.count)]
    gate = asyncio.Semaphore(AT_ONCE)
    await asyncio.gather(*(enrol(node, text, options.plan, gate) for node in nodes))
    print(json.dumps({"enrolled": len(nodes)}), flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--invite", type=Path, required=True)
    parser.add_argument("--plan", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--dim", type=int, required=True)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(serve(parser.parse_args()))
