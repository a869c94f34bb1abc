"""The whole coordinator in one process, with scripted nodes over the real channel."""

import asyncio
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from a_coordinator import MANIFEST, D, ThinNode, invite, make, serving, thin_nodes, until

from coordinator import driver as driver_module
from coordinator import reading
from coordinator.asks import AskApprove, AskNodes, AskRevoke
from coordinator.checkpoints import open_checkpoint
from coordinator.combining import Combiner
from coordinator.commands import Commands
from coordinator.files import StoreFatal, StoreUnavailable
from coordinator.refusals import BadDataError
from fedtui.crypto.keys import fingerprint
from fedtui.errors import CloseCode
from fedtui.rounds.machine import Operator
from fedtui.rounds.records import Record
from fedtui.wire.events import StreamReceipt, StreamRefused
from fedtui.wire.messages import Abort, AuditHead, Ended, Offer, Result, Scored, Waiting


async def test_a_federation_runs_to_its_end(tmp_path: Path) -> None:
    layout = make(tmp_path / "f")
    nodes = [ThinNode(1, fetches=True), ThinNode(3)]
    async with serving(layout) as service, thin_nodes(service, *nodes):
        await until(lambda: service.federation.ended is not None)
        await until(lambda: isinstance(nodes[0].heard[-1], Ended))
        status = service.status()
    assert (status.state, status.running) == ("ended", True)
    assert [(r.round, r.participants, r.dropped, r.score) for r in status.rounds] == [
        (1, 2, 0, 0.8),
        (2, 2, 0, 0.8),
    ]
    payload = MANIFEST.num_bytes
    for line in status.rounds:
        assert line.bytes_up is not None
        assert 2 * payload <= line.bytes_up < 2 * payload + 8000
    # weights 10 and 30: (10 * 1 + 30 * 3) / 40 = 2.5 a round
    with open_checkpoint(layout.checkpoints / "model-000002.safetensors", MANIFEST) as model:
        np.testing.assert_array_equal(np.frombuffer(model.read(0, 4 * D), "<f4"), 5.0)
    initial = bytes(MANIFEST.num_bytes)
    assert initial in nodes[0].models.values()
    results = [m for m in nodes[0].heard if isinstance(m, Result)]
    assert [r.counted for r in results] == [True, True]
    assert results[-1].audit_head is not None
    assert any(isinstance(m, Scored) and m.score == 0.8 for m in nodes[1].heard)


async def test_the_run_goes_on_after_a_restart_and_the_result_can_be_read(tmp_path: Path) -> None:
    layout = make(tmp_path / "f", rounds=3)
    first = [ThinNode(1), ThinNode(2)]
    async with serving(layout) as service, thin_nodes(service, *first):
        await until(lambda: len(service.federation.rounds) >= 2)
    again = [ThinNode(1), ThinNode(2)]
    async with serving(layout) as service:
        try:
            for node in again:
                await node.start(service)
            await until(lambda: service.federation.ended is not None)
        finally:
            for node in again:
                await node.stop()
    settings_rounds = []
    with reading.reading(layout) as database:
        settings_rounds = [r.round for r in database.snapshot().rounds]
        assert database.incarnation == 3
    assert settings_rounds == [0, 1, 2, 3]


async def test_E2_a_pending_node_is_let_in_at_once_and_a_revoked_one_put_out(
    tmp_path: Path,
) -> None:
    layout = make(tmp_path / "f", minimum=1, rounds=1000)
    node = ThinNode(5)
    async with serving(layout) as service:
        commands = Commands(service)
        await node.start(service, await invite(service, auto=False))
        await until(lambda: service.gatekeeper.num_pending == 1)
        assert not node.enrolled
        name = fingerprint(node.identity.id)
        line = await commands.answer(AskApprove(fingerprint=name))
        assert msgspec.to_builtins(line)["state"] == "enrolled"
        await until(lambda: node.enrolled)
        await until(lambda: any(isinstance(m, Offer) for m in node.heard))
        await commands.answer(AskRevoke(fingerprint=name))
        assert node.run is not None
        stopped = await asyncio.wait_for(node.run, 5)
        assert stopped.code == CloseCode.REVOKED
        await until(lambda: node.identity.id not in service.federation.present)
        again = ThinNode(5)
        await again.start(service)
        assert again.run is not None
        assert (await again.run).code == CloseCode.REVOKED
        lines = await commands.answer(AskNodes())
        assert [x["state"] for x in msgspec.to_builtins(lines)] == ["expelled"]


async def test_strangers_and_used_invites_are_refused(tmp_path: Path) -> None:
    async with serving(make(tmp_path / "f")) as service:
        once = await invite(service)
        known, stranger, late = ThinNode(1), ThinNode(2), ThinNode(3)
        try:
            await known.start(service, once)
            await until(lambda: known.enrolled)
            await stranger.start(service)
            await late.start(service, once)
            for node in (stranger, late):
                assert node.run is not None
                stopped = await asyncio.wait_for(node.run, 5)
                assert stopped.code == CloseCode.UNAUTHORISED
                assert "ask its operator for a new invite" in stopped.text
        finally:
            await known.stop()


async def test_A1_a_node_with_nan_is_left_out_and_the_round_goes_on(tmp_path: Path) -> None:
    layout = make(tmp_path / "f", rounds=1)
    bad = np.ones(D, "<f4")
    bad[7] = np.nan
    nodes = [ThinNode(1), ThinNode(2), ThinNode(4, update=bad.tobytes())]
    text = layout.plan.read_text().replace("maximum = 1", "maximum = 1\nstart_with = 3")
    layout.plan.write_text(text)
    async with serving(layout) as service, thin_nodes(service, *nodes):
        await until(lambda: service.federation.ended is not None)
        await until(lambda: any(isinstance(m, StreamRefused) for m in nodes[2].heard))
        line = service.status().rounds[0]
    assert (line.participants, line.dropped) == (2, 1)
    refused = next(m for m in nodes[2].heard if isinstance(m, StreamRefused))
    assert "tensor 'w' holds nan" in refused.text


async def test_L5_a_full_disk_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_module, "RETRY_S", 0.01)
    layout = make(tmp_path / "f", rounds=1)
    nodes = [ThinNode(1), ThinNode(2)]
    full = asyncio.Event()
    async with serving(layout) as service:
        commit = service.store.commit

        async def refusing(records: list[Record]) -> None:
            if not full.is_set():
                raise StoreUnavailable("no space left on device")
            await commit(records)

        service.driver._store = type("Full", (), {"commit": staticmethod(refusing)})()
        async with thin_nodes(service, *nodes):
            await until(lambda: service.driver.degraded is not None)
            assert service.status().state == "degraded"
            assert service.health().ready is False
            assert not any(isinstance(m, Offer) for node in nodes for m in node.heard)
            full.set()
            await until(lambda: service.federation.ended is not None)
            assert service.health().ready is True
            receipts = [m for n in nodes for m in n.heard if isinstance(m, StreamReceipt)]
            assert len(receipts) == 2


async def test_L5_old_models_that_cannot_be_removed_stop_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_module, "RETRY_S", 0.01)
    asked: list[str] = []

    def read_only(*_: object, **__: object) -> None:
        asked.append("prune")
        raise StoreUnavailable("read-only file system")

    monkeypatch.setattr(Combiner, "prune", read_only)
    nodes = [ThinNode(1), ThinNode(2)]
    async with serving(make(tmp_path / "f")) as service, thin_nodes(service, *nodes):
        head = service.store.audit_head

        async def not_now() -> AuditHead | None:
            asked.append("head")
            if asked.count("head") == 1:
                raise StoreUnavailable("no space left on device")
            return await head()

        monkeypatch.setattr(service.store, "audit_head", not_now)
        await until(lambda: service.federation.ended is not None)
        await until(lambda: asked.count("prune") == 2)
    assert asked.count("head") == 3


async def test_a_failed_sync_stops_the_process_with_the_reason(tmp_path: Path) -> None:
    layout = make(tmp_path / "f")

    async def failing(records: list[Record]) -> None:
        raise StoreFatal("the disk could not be synced")

    async def fail_once() -> None:
        async with serving(layout) as service:
            service.driver._store = type("Failing", (), {"commit": staticmethod(failing)})()
            service.driver.put(Operator("pause"))
            await until(service._stopping.is_set)

    with pytest.raises(StoreFatal, match="could not be synced"):
        await fail_once()


async def test_pause_resume_and_end(tmp_path: Path) -> None:
    layout = make(tmp_path / "f", rounds=100_000)
    nodes = [ThinNode(1), ThinNode(2)]
    async with serving(layout) as service, thin_nodes(service, *nodes):
        await until(lambda: len(service.federation.rounds) > 1)
        service.driver.put(Operator("pause"))
        await until(lambda: service.status().state == "paused")
        stands = len(service.federation.rounds)
        await until(lambda: any(isinstance(m, Waiting) and m.paused for m in nodes[0].heard))
        service.driver.put(Operator("resume"))
        await until(lambda: len(service.federation.rounds) > stands)
        service.driver.put(Operator("stop"))
        await until(lambda: isinstance(nodes[1].heard[-1], Ended))
        assert service.status().ended == "ended by operator"


async def test_a_silent_node_does_not_block_the_round(tmp_path: Path) -> None:
    layout = make(tmp_path / "f", minimum=1, rounds=1, deadline_s=0.3)
    text = layout.plan.read_text().replace("maximum = 1", "maximum = 1\nstart_with = 2")
    layout.plan.write_text(text)
    nodes = [ThinNode(1), ThinNode(2, answers=False)]
    async with serving(layout) as service, thin_nodes(service, *nodes):
        await until(lambda: service.federation.ended is not None)
        assert [(r.participants, r.dropped) for r in service.status().rounds] == [(1, 1)]
        assert not any(isinstance(m, Abort) for m in nodes[0].heard)


async def test_follow_tells_everything_as_it_happens(tmp_path: Path) -> None:
    layout = make(tmp_path / "f", rounds=1)
    lines: list[dict[str, object]] = []
    async with serving(layout) as service:

        async def listen() -> None:
            nonlocal lines
            async for line in service.follow():
                lines += [msgspec.to_builtins(line)]

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0)
        nodes = [ThinNode(1), ThinNode(2)]
        async with thin_nodes(service, *nodes):
            await until(lambda: any(line["event"] == "ended" for line in lines))
    await listening
    events = [str(line["event"]) for line in lines]
    assert events[0] == "status"
    wanted = ["joined", "round started", "update", "round finished", "scored", "ended"]
    places = [events.index(event) for event in wanted]
    assert places == sorted(places)


async def test_a_lost_model_stops_the_start_with_a_remedy(tmp_path: Path) -> None:
    layout = make(tmp_path / "f")
    model = layout.checkpoints / "model-000000.safetensors"
    data = bytearray(model.read_bytes())
    data[-1] ^= 1
    model.write_bytes(data)
    with pytest.raises(BadDataError, match="restore a backup"):
        async with serving(layout):
            pass
    shutil.rmtree(layout.root)
