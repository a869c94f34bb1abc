"""A real coordinator's disk, seized in mid-round and after the end, by the real programs.

The nodes are of the test build, which leaves what they masked beside (plain_sums.py): so it is
known what must not be on the disk, and what is there is held against it.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import plain_sums
import pytest
from house import until

from fedtui.demo.federation import LocalFederation, NodeSpec
from fedtui.demo.programs import Programs
from fedtui.demo.watch import Watch
from fedtui.leakage import seized
from fedtui.learning.flat import manifest_of
from fedtui.learning.loading import load_task
from fedtui.learning.params import Params

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(300)]

NODES = 3
PLAN = """\
[federation]
name = "seized"
[task]
name = "digits"
[rounds]
maximum = 3
start_with = 3
[privacy]
updates = "{updates}"
[deadlines]
rejoin_s = 300
"""


def federation_of(scratch: Path, updates: str) -> LocalFederation:
    (scratch / "run").mkdir(mode=0o700)
    environment = plain_sums.environment(scratch / "built")
    environment |= {"FEDTUI_HOME": str(scratch / "nodes"), "XDG_RUNTIME_DIR": str(scratch / "run")}
    visible = ("--visible",) if updates == "visible" else ()
    specs = tuple(
        NodeSpec(label=f"node-{place}", shard=f"{place}/{NODES}", options=visible)
        for place in range(NODES)
    )
    return LocalFederation(Programs(scratch, environment), PLAN.format(updates=updates), specs)


async def to_the_end(federation: LocalFederation) -> None:
    watch = Watch()
    async for told in federation.follow():
        watch.take(told)
        if watch.ended:
            return


async def kill(federation: LocalFederation, name: str) -> None:
    process = federation.programs.started[name].process
    process.kill()
    await process.wait()


def plain(built: Path) -> list[npt.NDArray[np.float64]]:
    """Every node's update of every round, as the decoder reads it."""
    found = [np.load(path) for path in sorted((built / "plain").glob("*.npz"))]
    return [one["values"] / float(one["scale"]) for one in found]


def needles(update_D: npt.NDArray[np.float64], scale: float) -> Iterator[bytes]:
    """Four values in a row, here and there, in every form in which fedtui writes numbers."""
    steps_D = np.round(update_D * scale)
    for first in range(0, len(update_D) - 4, 64):
        some = slice(first, first + 4)
        if np.count_nonzero(update_D[some]) == 4:
            for kind in ("<f4", "<f8"):
                yield update_D[some].astype(kind).tobytes()
            for kind in ("<i4", "<i8"):
                yield steps_D[some].astype(kind).tobytes()
                yield (steps_D[some] + 2**24).astype(kind).tobytes()


async def test_G3_a_masked_federations_disk_has_no_update_in_mid_round_nor_at_the_end(
    scratch: Path,
) -> None:
    federation = federation_of(scratch, "masked")
    home, built = federation.coordinator_dir, scratch / "built"
    labels = [spec.label for spec in federation.nodes]
    for label in labels:  # every masked vector is there then, and no share is opened
        (built / "kill" / label).write_text("Offer heard Survivors round 2")
    try:
        await federation.start()
        await until(lambda: all((built / "kill" / f"{one}.killed").exists() for one in labels))
        await kill(federation, "coordinator")
        shutil.copytree(home, scratch / "early", ignore=shutil.ignore_patterns("*.sock"))
        await to_the_end(federation)
    finally:
        await federation.programs.stop()
    early, late = seized.search(scratch / "early"), seized.search(home)
    masked = [item for item in early if item.path.startswith("state/spool/")]
    assert [item.tells for item in masked] == ["masked"] * NODES
    assert not [item for item in late if item.path.startswith("state/spool/")]
    for items in (early, late):
        assert [item for item in items if item.tells in seized.BAD] == []
        assert {item.tells for item in items} <= {"nothing", "who", "key", "sums", "masked"}
    one = np.load(next((built / "plain").glob("*.npz")))
    updates = plain(built)
    assert len(updates) >= 3 * NODES
    for folder in (scratch / "early", home):
        data = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
        for update_D in updates:
            for needle in needles(update_D, float(one["scale"])):
                assert not any(needle in content for content in data)
    assert least_residual(home, updates) > 0.1, "the models' differences make one node's update"


def least_residual(home: Path, updates: list[npt.NDArray[np.float64]]) -> float:
    """The part of an update, at the least, that no sum of all models on the disk makes."""
    paths = sorted((home / "state" / "checkpoints").glob("model-*.safetensors"))
    manifest = manifest_of(load_task("digits", {}).model())
    models = [Params.from_safetensors(path.read_bytes(), manifest).vector_D for path in paths]
    steps = np.diff(np.array(models, np.float64), axis=0).T
    left = [one - steps @ np.linalg.lstsq(steps, one, rcond=None)[0] for one in updates]
    lengths = [np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(left, updates, strict=True)]
    return float(min(lengths))


async def test_G3_a_visible_federations_disk_has_updates_in_mid_round_and_counts_at_the_end(
    scratch: Path,
) -> None:
    """What docs/leakage.md says of it: nothing here is hidden from whoever holds the disk."""
    federation = federation_of(scratch, "visible")
    home, built = federation.coordinator_dir, scratch / "built"
    (built / "kill" / "node-2").write_text("Offer do Train round 2")  # the others wait for it
    try:
        await federation.start()
        spool = home / "state" / "spool"
        await until((built / "kill" / "node-2.killed").exists)
        await until(lambda: len(list(spool.glob("2-*.update"))) == 2)
        await kill(federation, "coordinator")
        early = {item.path: item.tells for item in seized.search(home)}
        await to_the_end(federation)
    finally:
        await federation.programs.stop()
    spooled = [tells for path, tells in early.items() if path.startswith("state/spool/")]
    assert spooled == ["update"] * 2
    late = {item.path: item.tells for item in seized.search(home)}
    assert late["table updates"] == early["table updates"] == "counts"
    assert "update" not in late.values()
    assert "unknown" not in {*early.values(), *late.values()}
