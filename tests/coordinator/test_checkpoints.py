import errno
import json
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from fake_files import FaithlessFiles, PowerLossError
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.checkpoints import (
    Checkpoint,
    CheckpointError,
    CheckpointWriter,
    header,
    open_checkpoint,
    sweep,
    verify,
)
from coordinator.files import Files, StoreError, StoreFatal, StoreUnavailable
from fedtui.learning.params import Manifest, TensorSpec

MANIFEST = Manifest((TensorSpec("w", (3, 4)), TensorSpec("bias/é", (5,)), TensorSpec("s", ())))


def tensor_bytes(seed: int, manifest: Manifest = MANIFEST) -> bytes:
    rng = np.random.default_rng(seed)
    return rng.standard_normal(manifest.num_values).astype("<f4").tobytes()


def save(
    directory: Path,
    round_: int,
    data: bytes,
    *,
    manifest: Manifest = MANIFEST,
    files: Files | None = None,
) -> Checkpoint:
    more = {} if files is None else {"files": files}
    writer = CheckpointWriter(directory, round_, manifest, **more)
    for start in range(0, len(data), 24):
        writer.write(data[start : start + 24])
    return writer.finish()


names = st.text(min_size=1, max_size=8)
shapes = st.lists(st.integers(1, 5), max_size=3).map(tuple)


@settings(deadline=None)
@given(tensors=st.dictionaries(names, shapes, min_size=1, max_size=6), seed=st.integers(0, 99))
def test_others_read_the_same_tensors_and_the_data_is_what_travels(
    tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, tuple[int, ...]], seed: int
) -> None:
    tensors.pop("__metadata__", None)
    specs = tuple(TensorSpec(name, shape) for name, shape in tensors.items())
    if not specs or any(len(spec.name.encode()) > 200 for spec in specs):
        return
    manifest = Manifest(specs)
    directory = tmp_path_factory.mktemp("models")
    data = tensor_bytes(seed, manifest)
    saved = save(directory, 7, data, manifest=manifest)
    assert saved.digest == blake2b(data, digest_size=32).digest()
    theirs = safetensors.numpy.load_file(directory / saved.name)
    assert {n: a.shape for n, a in theirs.items()} == tensors
    assert b"".join(theirs[s.name].astype("<f4").tobytes() for s in specs) == data
    raw = (directory / saved.name).read_bytes()
    with open_checkpoint(directory / saved.name, manifest) as reader:
        assert reader.data_offset % 8 == 0
        assert raw[reader.data_offset :] == data
        assert reader.read(4, 10**9) == data[4:]
        assert reader.read(len(data), 1) == b""
        assert reader.digest == saved.digest
    assert verify(directory, saved) is None


def test_a_manifest_of_another_order_or_shape_is_refused(tmp_path: Path) -> None:
    saved = save(tmp_path, 1, tensor_bytes(1))
    w, bias, s = MANIFEST.tensors
    for other in (
        Manifest((bias, w, s)),
        Manifest((w, bias)),
        Manifest((TensorSpec("w", (4, 3)), bias, s)),
    ):
        with pytest.raises(CheckpointError, match="another model"):
            open_checkpoint(tmp_path / saved.name, other)


def hostile_headers() -> dict[str, bytes]:
    good = header(MANIFEST, 1)
    body = good[8:]
    data = tensor_bytes(1)
    twin = body.rstrip()[:-1] + b',"w":{"dtype":"F32","shape":[3,4],"data_offsets":[0,48]}}'
    twin += b" " * (-len(twin) % 8)
    offsets = json.loads(body)
    offsets["s"]["data_offsets"] = [-4, 0]
    moved = json.dumps(offsets, separators=(",", ":")).encode()
    moved += b" " * (-len(moved) % 8)

    def framed(text: bytes) -> bytes:
        return len(text).to_bytes(8, "little") + text + data

    return {
        "empty": b"",
        "short": good[:20],
        "huge length": (2**63).to_bytes(8, "little") + body + data,
        "no object": framed(b"[1, 2]  "),
        "no json": framed(b"{nothing"),
        "number": framed(b"12345678"),
        "long integer": framed(b'{"w":' + b"9" * 5002 + b"} "),
        "deep": framed(b"[" * 100_000),
        "twin": framed(twin),
        "negative offset": framed(moved),
        "trailing": good + data + b"\0",
        "cut": good + data[:-1],
    }


@pytest.mark.parametrize("name", hostile_headers())
def test_a_damaged_file_is_refused_with_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model-000001.safetensors"
    path.write_bytes(hostile_headers()[name])
    with pytest.raises(CheckpointError, match="model-000001"):
        open_checkpoint(path, MANIFEST)
    digest = blake2b(tensor_bytes(1), digest_size=32).digest()
    found = verify(tmp_path, Checkpoint(path.name, 1, digest, MANIFEST.num_bytes))
    assert found is not None or name in {"twin", "negative offset", "no object"}


def test_one_changed_bit_shows(tmp_path: Path) -> None:
    saved = save(tmp_path, 1, tensor_bytes(1))
    raw = bytearray((tmp_path / saved.name).read_bytes())
    raw[-1] ^= 1
    (tmp_path / saved.name).write_bytes(raw)
    assert "changed" in (verify(tmp_path, saved) or "")
    (tmp_path / saved.name).unlink()
    assert "missing" in (verify(tmp_path, saved) or "")


def test_too_few_and_too_many_bytes_are_refused(tmp_path: Path) -> None:
    writer = CheckpointWriter(tmp_path, 1, MANIFEST)
    with pytest.raises(CheckpointError, match="more than"):
        writer.write(bytes(MANIFEST.num_bytes + 1))
    writer.write(bytes(4))
    with pytest.raises(CheckpointError, match=f"4 of {MANIFEST.num_bytes}"):
        writer.finish()
    writer.abandon()
    writer.abandon()
    with pytest.raises(CheckpointError, match="closed"):
        writer.write(b"")
    assert list(tmp_path.iterdir()) == []


def test_the_sweep_keeps_what_is_named_and_recent_and_nothing_else(tmp_path: Path) -> None:
    saved = [save(tmp_path, n, tensor_bytes(n)) for n in range(8)]
    unnamed = saved.pop()
    (tmp_path / "model-000009.safetensors.tmp").write_bytes(b"half")
    (tmp_path / "notes.txt").write_bytes(b"the operator's")
    swept = sweep(tmp_path, saved, keep=2, milestones=frozenset({3}))
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {saved[n].name for n in (0, 3, 5, 6)} | {"notes.txt"}
    assert unnamed.name in swept.removed
    assert swept.broken == ()


def test_the_sweep_tells_of_a_broken_newest_model(tmp_path: Path) -> None:
    saved = [save(tmp_path, n, tensor_bytes(n)) for n in range(4)]
    (tmp_path / saved[3].name).write_bytes(b"x" * 40)
    (tmp_path / saved[2].name).unlink()
    swept = sweep(tmp_path, saved, keep=3)
    assert [saved[3].name in swept.broken[0], saved[2].name in swept.broken[1]] == [True, True]


# ---- power loss -----------------------------------------------------------------------------

FOLDER = Path("models")


def two_rounds(files: FaithlessFiles, committed: list[Checkpoint]) -> None:
    """What the service does: save, then commit. `committed` stands for the database."""
    for n in (1, 2):
        saved = save(FOLDER, n, tensor_bytes(n), files=files)
        committed.append(saved)


def num_calls() -> int:
    files = FaithlessFiles()
    two_rounds(files, [])
    return len(files.calls)


@pytest.mark.parametrize("stop_at", range(num_calls() + 1))
def test_R4_a_committed_model_survives_power_loss_at_every_call(stop_at: int) -> None:
    for seed in range(30):
        files, committed = FaithlessFiles(stop_at=stop_at), list[Checkpoint]()
        with suppress(PowerLossError):
            two_rounds(files, committed)
        found = files.crash(np.random.default_rng(seed))
        swept = sweep(FOLDER, committed, keep=5, files=found)
        assert swept.broken == ()
        assert found.names(FOLDER) == sorted(c.name for c in committed)


@pytest.mark.parametrize(
    ("call", "code", "outcome"),
    [
        ("write", errno.ENOSPC, StoreUnavailable),
        ("create", errno.EROFS, StoreUnavailable),
        ("sync", errno.EIO, StoreFatal),
        ("sync_directory", errno.EIO, StoreFatal),
        ("sync", errno.ENOSPC, StoreFatal),
    ],
)
def test_L5_a_failing_disk_names_no_model(call: str, code: int, outcome: type[StoreError]) -> None:
    files, committed = FaithlessFiles(), list[Checkpoint]()
    files.failing = lambda made, _: code if made == call else 0
    with pytest.raises(outcome):
        two_rounds(files, committed)
    assert committed == []
    files.failing = lambda *_: 0
    if outcome is StoreUnavailable:
        two_rounds(files, committed)
        assert sweep(FOLDER, committed, keep=5, files=files).broken == ()
