import asyncio
import errno
import shutil
from pathlib import Path

import pytest

from coordinator import audit
from coordinator.backup import backup, restore
from coordinator.checkpoints import CheckpointWriter
from coordinator.files import DISK, Disk, StoreConflict, StoreFatal, StoreUnavailable
from coordinator.layout import Layout
from coordinator.recording import FORGOTTEN_LIVES
from coordinator.store import Store
from fedtui.crypto.keys import Identity
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.rounds.records import RoundFinished, RoundStarted

MANIFEST = Manifest((TensorSpec("w", (64,)),))
COORDINATOR = Identity.from_seed(bytes(32))


async def run(root: Path, num_rounds: int) -> Store:
    """A coordinator's directory with some models; the store stays open."""
    layout = Layout(root)
    layout.state.mkdir(parents=True)
    layout.config.write_text("[server]\n")
    layout.plan.write_text("[task]\n")
    layout.identity.write_bytes(b"secret seed")
    (layout.plugins / "strategies").mkdir(parents=True)
    (layout.plugins / "strategies" / "mine.py").write_text("build = object\n")
    store = Store.open(layout.state, identity=COORDINATOR)
    for n in range(num_rounds):
        with CheckpointWriter(layout.checkpoints, n, MANIFEST) as writer:
            writer.write(bytes([n]) * MANIFEST.num_bytes)
            saved = writer.finish()
        if n:
            await store.commit([begun(n)])
        done = RoundFinished(
            n,
            min(n, 1),
            model_digest=saved.digest,
            checkpoint_name=saved.name,
            sums={},
            seconds=1.0,
            num_bytes=saved.num_bytes,
        )
        await store.commit([done])
    await store.commit([begun(num_rounds)])
    return store


def begun(n: int) -> RoundStarted:
    return RoundStarted(
        n,
        1,
        phase="INVITING",
        model_digest=bytes(32),
        cohort=(b"n" * 32,),
        deadline=1.0,
        incarnation=1,
    )


@pytest.mark.parametrize("running", [True, False])
async def test_what_is_backed_up_comes_back(tmp_path: Path, running: bool) -> None:
    store = await run(tmp_path / "live", 3)
    (Layout(tmp_path / "live").checkpoints / "model-000001.safetensors").unlink()  # retention
    before = store.load_federation()
    head = await store.audit_head()
    if not running:
        store.close()
    saved = backup(tmp_path / "live", tmp_path / "copy", with_identity=False)
    assert (saved.num_models, saved.newest_round, saved.has_identity) == (2, 2, False)
    assert not list((tmp_path / "copy").rglob("*.key"))
    modes = {p.stat().st_mode & 0o777 for p in (tmp_path / "copy").rglob("*") if p.is_file()}
    assert modes == {0o600}
    store.close()

    back = restore(tmp_path / "copy", tmp_path / "new")
    assert (back.num_models, back.newest_round) == (2, 2)
    again = Store.open(Layout(tmp_path / "new").state, identity=COORDINATOR)
    found = again.load_federation()
    assert before is not None
    assert found is not None
    assert found.rounds == before.rounds
    assert (found.open, found.last_attempt) == (None, before.last_attempt)
    assert again.incarnation > FORGOTTEN_LIVES
    assert again.federation_id == store.federation_id
    again.close()
    assert head is not None
    state = Layout(tmp_path / "new").state
    assert audit.verify_directory(state, key=COORDINATOR.public, held=[head]).problems == ()
    assert (tmp_path / "new" / "coordinator.toml").read_text() == "[server]\n"
    own = Layout(tmp_path / "new").plugins / "strategies" / "mine.py"
    assert own.read_text() == "build = object\n"


async def test_the_key_goes_along_only_when_asked_for(tmp_path: Path) -> None:
    (await run(tmp_path / "live", 1)).close()
    saved = backup(tmp_path / "live", tmp_path / "copy", with_identity=True)
    assert saved.has_identity
    assert restore(tmp_path / "copy", tmp_path / "new").has_identity
    assert (tmp_path / "new" / "identity.key").read_bytes() == b"secret seed"
    assert (tmp_path / "new" / "identity.key").stat().st_mode & 0o777 == 0o600


async def test_a_backup_in_the_middle_of_the_work_is_consistent(tmp_path: Path) -> None:
    store = await run(tmp_path / "live", 2)
    stop = asyncio.Event()

    async def work() -> int:
        attempt = 1
        while not stop.is_set():
            attempt += 1
            started = begun(2)
            await store.commit([type(started)(2, attempt, **fields(started))])
        return attempt

    working = asyncio.create_task(work())
    for n in range(5):
        await asyncio.to_thread(
            backup, tmp_path / "live", tmp_path / f"copy{n}", with_identity=False
        )
    stop.set()
    last = await working
    store.close()
    seen = []
    for n in range(5):
        restore(tmp_path / f"copy{n}", tmp_path / f"new{n}")
        found = Store.open(Layout(tmp_path / f"new{n}").state)
        snapshot = found.load_federation()
        assert snapshot is not None
        seen.append(snapshot.last_attempt[1])
        found.close()
    assert seen == sorted(seen)
    assert seen[-1] <= last


def listing(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def fields(started: RoundStarted) -> dict[str, object]:
    names = ("phase", "model_digest", "cohort", "deadline", "incarnation")
    return {name: getattr(started, name) for name in names}


async def test_nothing_is_overwritten_and_nothing_is_half_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (await run(tmp_path / "live", 2)).close()
    backup(tmp_path / "live", tmp_path / "copy", with_identity=False)
    for call in (
        lambda: backup(tmp_path / "live", tmp_path / "copy", with_identity=False),
        lambda: restore(tmp_path / "copy", tmp_path / "live"),
    ):
        with pytest.raises(StoreConflict, match="exists"):
            call()
    for origin in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(StoreConflict, match="no coordinator"):
            backup(origin, tmp_path / "other", with_identity=False)
        with pytest.raises(StoreConflict, match="no backup"):
            restore(origin, tmp_path / "other")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "copy")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", full)
        with pytest.raises(StoreUnavailable, match="make room"):
            backup(tmp_path / "live", tmp_path / "other", with_identity=False)

    def broken(self: Disk, handle: int) -> None:
        raise StoreFatal("the sync failed")

    with monkeypatch.context() as patch:
        patch.setattr(type(DISK), "sync", broken)
        with pytest.raises(StoreFatal):
            backup(tmp_path / "live", tmp_path / "other", with_identity=False)
    assert listing(tmp_path) == ["copy", "live"]


async def test_a_damaged_backup_is_not_restored(tmp_path: Path) -> None:
    (await run(tmp_path / "live", 2)).close()
    backup(tmp_path / "live", tmp_path / "copy", with_identity=False)
    newest = Layout(tmp_path / "copy").checkpoints / "model-000001.safetensors"
    whole = newest.read_bytes()
    newest.write_bytes(whole[:-1] + b"X")
    with pytest.raises(StoreConflict, match="damaged: model-000001"):
        restore(tmp_path / "copy", tmp_path / "new")
    newest.unlink()
    with pytest.raises(StoreConflict, match="missing"):
        restore(tmp_path / "copy", tmp_path / "new")
    (Layout(tmp_path / "copy").state / "coordinator.db").write_bytes(b"x" * 9000)
    with pytest.raises(StoreFatal):
        restore(tmp_path / "copy", tmp_path / "new")
    assert listing(tmp_path) == ["copy", "live"]
    live = Layout(tmp_path / "live")
    live_newest = live.checkpoints / newest.name
    live_newest.unlink()
    with pytest.raises(StoreConflict, match="restore it first"):
        backup(tmp_path / "live", tmp_path / "other", with_identity=False)
