"""A coordinator's storage at work, to be killed: store, spool and checkpoints, without a network.

    python -B crash_child.py STATE            two rounds, then exit 0
    python -B crash_child.py --serve          fork such a child for every line on stdin

Each round: three nodes, their updates, survivors, the new model. After every acknowledgement one
line goes to STATE/ack (O_APPEND), so the file never claims more than was acknowledged. A start on
what an earlier life left goes on from there. Exit status 3: stopped because of the disk.

Everything is small integers, so the verifier can check every model by equality.
"""

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Coroutine, Iterable
from hashlib import blake2b
from pathlib import Path

import numpy as np

from coordinator import database, schema
from coordinator.checkpoints import Checkpoint, CheckpointWriter, open_checkpoint, sweep
from coordinator.files import StoreError
from coordinator.spool import Promise, Spool
from coordinator.store import Enrolment, InviteScope, Store
from fedtui.crypto.keys import Identity
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.rounds.history import FederationSnapshot
from fedtui.rounds.records import (
    Evaluated,
    RoundFinished,
    RoundStarted,
    SurvivorsChosen,
    UpdateReceived,
)

MANIFEST = Manifest((TensorSpec("w", (600,)), TensorSpec("b", (5,))))
COORDINATOR = Identity.from_seed(bytes(32))
IDENTITIES = [Identity.from_seed(bytes([n]) * 32).public for n in (1, 2, 3)]
NODES = sorted(identity.id for identity in IDENTITIES)
INVITE, SECRET_HASH = b"invite01", bytes(32)
STOPPED = 3


def update_of(round_: int, attempt: int, node: bytes) -> np.ndarray:
    """The update of a node: 605 small integers that no other update shares."""
    rng = np.random.default_rng([round_, attempt, node[0], node[1]])
    return rng.integers(-8, 9, MANIFEST.num_values).astype("<f4")


def promise_of(round_: int, attempt: int, node: bytes) -> Promise:
    data = update_of(round_, attempt, node).tobytes()
    return Promise(round_, attempt, node, len(data), blake2b(data, digest_size=32).digest())


class Life:
    """One life of the coordinator, from its start to its end."""

    def __init__(self, state: Path, *, abreast: bool) -> None:
        self.state = state
        self.abreast = abreast  # nodes at the same time, or one after the other
        self.models = state / "checkpoints"
        self.store = Store.open(state, identity=COORDINATOR)
        self.spool = Spool(state / "spool", quota_bytes=10**6)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self.ack_file = os.open(state / "ack", flags, 0o600)

    def ack(self, *words: object) -> None:
        line = " ".join(w.hex() if isinstance(w, bytes) else str(w) for w in words) + "\n"
        os.write(self.ack_file, line.encode())

    async def work(self, num_rounds: float) -> None:
        """Go on until `num_rounds` rounds are finished."""
        snapshot = self.store.load_federation() or FederationSnapshot()
        named = [
            Checkpoint(r.checkpoint_name, r.round, r.model_digest, r.num_bytes)
            for r in snapshot.rounds
        ]
        swept = sweep(self.models, named, keep=10**9)
        assert swept.broken == ()
        await self.enrol()
        if not snapshot.rounds:
            await self.finish(0, 0, [])
        open_ = snapshot.open
        if open_ is not None and open_.survivors is not None:
            self.spool.sweep([(open_.round, open_.attempt)])
            await self.finish(open_.round, open_.attempt, list(open_.survivors))
        self.spool.sweep([])
        snapshot = self.store.load_federation() or FederationSnapshot()
        for round_ in itertools.count(len(snapshot.rounds)):
            if round_ > num_rounds:
                break
            last_round, last_attempt = snapshot.last_attempt
            await self.round(round_, last_attempt + 1 if last_round == round_ else 1)

    async def enrol(self) -> None:
        if not await self.store.invites():
            await self.store.add_invite(
                INVITE,
                SECRET_HASH,
                scope=InviteScope(auto_approve=True),
                expires_at=1e10,
                uses=len(IDENTITIES),
                created_by="operator",
            )
            self.ack("invite", INVITE)
        await self.each(self.enrol_one(n) for n in range(len(IDENTITIES)))

    async def each(self, tasks: Iterable[Coroutine[None, None, None]]) -> None:
        if self.abreast:
            await asyncio.gather(*tasks)
            return
        for task in tasks:
            await task

    async def enrol_one(self, number: int) -> None:
        who = Enrolment(
            identity=IDENTITIES[number],
            label="",
            role="participant",
            address="",
            invite_id=INVITE,
            secret_hash=SECRET_HASH,
        )
        result = await self.store.enrol(who, now=1.0)
        self.ack(result.state, IDENTITIES[number].id)

    async def round(self, round_: int, attempt: int) -> None:
        base = bytes(32)
        started = RoundStarted(
            round_,
            attempt,
            phase="INVITING",
            model_digest=base,
            cohort=tuple(NODES),
            deadline=1.0,
            incarnation=self.store.incarnation,
        )
        await self.store.commit([started])
        self.ack("started", round_, attempt, self.store.incarnation)
        await self.each(self.receive(round_, attempt, node) for node in NODES)
        survivors = NODES[round_ % 2 :]
        await self.store.commit([SurvivorsChosen(round_, attempt, nodes=tuple(survivors))])
        self.ack("survivors", round_, attempt, *survivors)
        await self.finish(round_, attempt, survivors)

    async def receive(self, round_: int, attempt: int, node: bytes) -> None:
        data, promise = (
            update_of(round_, attempt, node).tobytes(),
            promise_of(round_, attempt, node),
        )
        upload = self.spool.receive(promise)
        while upload.offset < len(data):
            upload.write(upload.offset, data[upload.offset : upload.offset + 1000])
        upload.finish()
        record = UpdateReceived(
            round_,
            attempt,
            node=node,
            digest=promise.digest,
            num_bytes=promise.num_bytes,
            weight=1.0,
            sums={"examples": 1.0},
        )
        await self.store.commit([record])
        self.ack("update", round_, attempt, node)

    async def finish(self, round_: int, attempt: int, survivors: list[bytes]) -> None:
        """The base model plus the survivors' updates, from the spool."""
        total = self.base(round_)
        for node in survivors:
            with self.spool.open(round_, attempt, node) as update:
                total = total + np.frombuffer(update.read(0, update.num_bytes), "<f4")
        with CheckpointWriter(self.models, round_, MANIFEST) as writer:
            for part in np.array_split(total.astype("<f4"), 2):
                writer.write(part.tobytes())
            saved = writer.finish()
        finished = RoundFinished(
            round_,
            attempt,
            model_digest=saved.digest,
            checkpoint_name=saved.name,
            sums={},
            seconds=1.0,
            num_bytes=saved.num_bytes,
        )
        await self.store.commit([finished])
        self.ack("finished", round_, attempt, saved.digest)
        score = Evaluated(
            round=round_, model_digest=saved.digest, sums={}, score=float(round_), num_nodes=3
        )
        await self.store.commit([score])
        self.ack("evaluated", round_)
        self.spool.sweep([])

    def base(self, round_: int) -> np.ndarray:
        if round_ == 0:
            return np.zeros(MANIFEST.num_values, "<f4")
        name = f"model-{round_ - 1:06d}.safetensors"
        with open_checkpoint(self.models / name, MANIFEST) as reader:
            return np.frombuffer(reader.read(0, reader.num_bytes), "<f4")

    def close(self) -> None:
        self.spool.close()
        os.close(self.ack_file)
        self.store.close()


def live(state: Path, num_rounds: float = 2, *, abreast: bool = True) -> int:
    """One life; returns the exit status."""
    try:
        life = Life(state, abreast=abreast)
    except StoreError:
        return STOPPED
    try:
        asyncio.run(life.work(num_rounds))
        life.close()
    except (StoreError, OSError):
        return STOPPED
    return 0


def migrate(state: Path) -> int:
    """Upgrade a database that is there already; returns the exit status."""
    path = state / database.DATABASE
    engine = database.connect(path)
    database.check(engine)
    database.upgrade(
        engine, path, scripts=state / "migrations", target=f"{int(schema.REVISION) + 1:04}"
    )
    engine.dispose()
    return 0


def serve() -> None:
    """Fork a child per line on stdin: `live STATE ROUNDS ABREAST`, or `migrate STATE`.

    It stops itself until it is continued, so that it can be traced from its first call on.

    Answers `pid N`, and `status S` when it is over. Forking spares every child the imports.
    """
    for line in sys.stdin:
        what, state, *more = line.split()
        pid = os.fork()
        if pid == 0:
            os.kill(os.getpid(), signal.SIGSTOP)
            if what == "migrate":
                os._exit(migrate(Path(state)))
            os._exit(live(Path(state), float(more[0]), abreast=more[1] == "True"))
        os.waitpid(pid, os.WUNTRACED)
        sys.stdout.write(f"pid {pid}\n")
        sys.stdout.flush()
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"status {os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve()
    else:
        sys.exit(live(Path(sys.argv[1])))
