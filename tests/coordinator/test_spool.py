import errno
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
from fake_files import FaithlessFiles, PowerLossError
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.files import DISK, Files, StoreFatal, StoreUnavailable
from coordinator.spool import Promise, Spool, SpoolFullError, SpoolRefusedError, Upload

NODE, OTHER = bytes(range(32)), bytes(range(1, 33))
FOLDER = Path("spool")


def promise(data: bytes, *, round_: int = 1, attempt: int = 1, node: bytes = NODE) -> Promise:
    return Promise(round_, attempt, node, len(data), blake2b(data, digest_size=32).digest())


def spool_at(directory: Path, *, files: Files = DISK, quota: int = 10**9) -> Spool:
    return Spool(directory, quota_bytes=quota, files=files)


def send(upload: Upload, data: bytes, *, step: int = 7, until: int | None = None) -> None:
    until = len(data) if until is None else until
    while upload.offset < until:
        end = min(until, upload.offset + step)
        upload.write(upload.offset, data[upload.offset : end])


@settings(deadline=None)
@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=4))
def test_an_update_resumes_where_it_was_in_this_life_and_the_next(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cuts: list[int]
) -> None:
    directory = tmp_path_factory.mktemp("spool")
    spool = spool_at(directory)
    for number, cut in enumerate(sorted(c for c in cuts if c <= len(data))):
        upload = spool.receive(promise(data))
        assert upload.offset <= cut
        send(upload, data, until=cut)
        if number % 2:
            spool.close()
            spool = spool_at(directory)
        assert spool.receive(promise(data)).offset == cut
    upload = spool.receive(promise(data))
    send(upload, data)
    upload.finish()
    with spool.open(1, 1, NODE) as update:
        assert update.read(0, 10**6) == data
        assert update.read(3, 5) == data[3:8]
    assert spool.num_bytes == len(data)
    assert [path.stat().st_mode & 0o777 for path in directory.iterdir()] == [0o600]


def test_R6_a_repeat_of_a_finished_update_is_the_same_and_another_one_is_refused(
    tmp_path: Path,
) -> None:
    spool = spool_at(tmp_path)
    upload = spool.receive(promise(b"abcd"))
    send(upload, b"abcd")
    upload.finish()
    for again in (spool, spool_at(tmp_path)):
        repeated = again.receive(promise(b"abcd"))
        assert (repeated.offset, repeated.finished) == (4, True)
        repeated.finish()
        for other in (b"abcx", b"abcde"):
            with pytest.raises(SpoolRefusedError, match="complete already"):
                again.receive(promise(other))
    assert (tmp_path / promise(b"abcd").update).read_bytes() == b"abcd"


def test_another_digest_or_length_does_not_resume(tmp_path: Path) -> None:
    spool = spool_at(tmp_path)
    send(spool.receive(promise(b"abcdefgh")), b"abcdefgh", until=5)
    for other in (b"abcdefgX", b"abcdefghi"):
        upload = spool.receive(promise(other))
        assert upload.offset == 0
        assert spool.num_bytes == len(other)
    assert len(list(tmp_path.iterdir())) == 1


def test_nodes_and_attempts_never_mix(tmp_path: Path) -> None:
    spool = spool_at(tmp_path)
    sent = {}
    for round_, attempt, node in [(1, 1, NODE), (1, 2, NODE), (11, 1, NODE), (1, 1, OTHER)]:
        data = sent[round_, attempt, node] = f"{round_} {attempt} {node.hex()}".encode()
        upload = spool.receive(promise(data, round_=round_, attempt=attempt, node=node))
        send(upload, data)
        upload.finish()
    for key, data in sent.items():
        with spool.open(*key) as update:
            assert update.read(0, 1000) == data


def test_gaps_repeats_and_surplus_are_refused_and_change_nothing(tmp_path: Path) -> None:
    upload = spool_at(tmp_path).receive(promise(b"abcdefgh"))
    upload.write(0, b"abc")
    for offset, data in [(2, b"c"), (4, b"e"), (3, b"defghi"), (0, b"abc")]:
        with pytest.raises(SpoolRefusedError):
            upload.write(offset, data)
    with pytest.raises(SpoolRefusedError, match="3 of 8 bytes"):
        upload.finish()
    upload.write(3, b"defgh")
    upload.finish()


def test_a_wrong_digest_costs_the_whole_upload(tmp_path: Path) -> None:
    spool = spool_at(tmp_path)
    upload = spool.receive(promise(b"abcdefgh"))
    upload.write(0, b"abcdefgX")
    with pytest.raises(SpoolRefusedError, match="announced digest"):
        upload.finish()
    assert (spool.num_bytes, list(tmp_path.iterdir())) == (0, [])
    upload = spool.receive(promise(b"abcdefgh"))
    assert upload.offset == 0
    send(upload, b"abcdefgh")
    upload.finish()


def test_L3_the_quota_counts_what_was_promised_and_what_lies_there(tmp_path: Path) -> None:
    spool = spool_at(tmp_path, quota=100)
    send(spool.receive(promise(bytes(60))), bytes(60), until=1)
    with pytest.raises(SpoolFullError, match="40 bytes"):
        spool.receive(promise(bytes(41), node=OTHER))
    spool.receive(promise(bytes(60)))
    upload = spool.receive(promise(bytes(40), node=OTHER))
    send(upload, bytes(40))
    upload.finish()
    spool.close()
    spool = spool_at(tmp_path, quota=100)
    with pytest.raises(SpoolFullError):
        spool.receive(promise(bytes(100), attempt=2))
    assert spool.sweep([]) != ()
    spool.receive(promise(bytes(100), attempt=2))


def test_I9_the_sweep_leaves_only_what_is_asked_for(tmp_path: Path) -> None:
    spool = spool_at(tmp_path)
    (tmp_path / "notes.txt").write_text("the operator's")
    for attempt in (1, 2, 3):
        upload = spool.receive(promise(b"abcd", attempt=attempt))
        send(upload, b"abcd")
        upload.finish()
        send(spool.receive(promise(b"abcd", attempt=attempt, node=OTHER)), b"abcd", until=2)
    spool.sweep([(1, 2)])
    left = {path.name for path in tmp_path.iterdir()} - {"notes.txt"}
    wanted = promise(b"abcd", attempt=2), promise(b"abcd", attempt=2, node=OTHER)
    assert left == {wanted[0].update, wanted[1].part}
    assert spool.num_bytes == 8
    assert spool.receive(wanted[1]).offset == 2
    spool.sweep([])
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_L5_a_full_disk_pauses_the_upload(tmp_path: Path) -> None:
    files, data = FaithlessFiles(), bytes(range(100))
    spool = spool_at(FOLDER, files=files)
    upload = spool.receive(promise(data))
    send(upload, data, step=10, until=50)
    files.failing = lambda call, _: errno.ENOSPC if call == "write" else 0
    with pytest.raises(StoreUnavailable):
        upload.write(50, data[50:60])
    with pytest.raises(SpoolRefusedError, match="open it again"):
        upload.write(50, data[50:60])
    with pytest.raises(SpoolRefusedError):
        upload.finish()
    files.failing = lambda *_: 0
    upload = spool.receive(promise(data))
    assert upload.offset == 55  # what reached the disk counts
    send(upload, data)
    upload.finish()
    with spool.open(1, 1, NODE) as update:
        assert update.read(0, 1000) == data


def test_L5_after_a_failed_sync_there_is_no_receipt() -> None:
    for failing in ("sync", "sync_directory"):
        files = FaithlessFiles()
        upload = spool_at(FOLDER, files=files).receive(promise(b"abcd"))
        send(upload, b"abcd")
        files.failing = lambda call, _, bad=failing: errno.EIO if call == bad else 0
        with pytest.raises(StoreFatal):
            upload.finish()
        assert not upload.finished


def two_updates(files: FaithlessFiles, receipts: list[Promise]) -> None:
    spool = spool_at(FOLDER, files=files)
    for node in (NODE, OTHER):
        data = node * 3
        upload = spool.receive(promise(data, node=node))
        send(upload, data, step=40)
        upload.finish()
        receipts.append(promise(data, node=node))


def num_calls() -> int:
    files = FaithlessFiles()
    two_updates(files, [])
    return len(files.calls)


@pytest.mark.parametrize("stop_at", range(num_calls() + 1))
def test_R4_an_update_with_a_receipt_survives_power_loss_at_every_call(stop_at: int) -> None:
    for seed in range(30):
        files, receipts = FaithlessFiles(stop_at=stop_at), list[Promise]()
        with suppress(PowerLossError):
            two_updates(files, receipts)
        found = files.crash(np.random.default_rng(seed))
        spool = spool_at(FOLDER, files=found)
        for receipt in receipts:
            assert spool.verify(receipt)
        for node in (NODE, OTHER):  # the others are sent again, and always get through
            wanted = promise(node * 3, node=node)
            for _ in range(2):
                upload = spool.receive(wanted)
                with suppress(SpoolRefusedError):
                    send(upload, node * 3)
                    upload.finish()
            assert spool.verify(wanted)
