from pathlib import Path

from a_coordinator import ThinNode, invite, make, serving, thin_nodes, until


def value(text: str, name: str) -> float:
    return float(next(line for line in text.splitlines() if line.startswith(name)).split()[-1])


async def test_metrics_follow_what_happens(tmp_path: Path) -> None:
    async with serving(make(tmp_path / "f", rounds=1)) as service:
        stranger = ThinNode(9)
        await stranger.start(service)
        assert stranger.run is not None
        await stranger.run
        waiting = ThinNode(8)
        await waiting.start(service, await invite(service, auto=False))
        async with thin_nodes(service, ThinNode(1), ThinNode(2)):
            await until(lambda: service.federation.ended is not None)
            await until(lambda: service.gatekeeper.num_pending == 1)
            health = service.health()
            assert (health.connected, health.pending, health.phase) == (3, 1, "ended")
            assert health.disk_free_bytes > 0
            up = service.gatekeeper.traffic()[0]
        for _ in range(2):
            service.health()
        text = service.metrics.exposition().decode()
        await waiting.stop()
    assert value(text, 'fedtui_handshakes_total{code="0",result="admitted"}') == 3
    assert value(text, 'fedtui_handshakes_total{code="4001",result="rejected"}') == 1
    assert value(text, "fedtui_commit_seconds_count") >= 4
    assert value(text, "fedtui_fsync_seconds_count") == 2
    assert value(text, "fedtui_survivors") == 2
    assert value(text, 'fedtui_frame_bytes_total{direction="received"}') >= up
    assert value(text, 'fedtui_phase_seconds_count{phase="collecting"}') == 1
    assert value(text, "fedtui_degraded") == 0
    for node in (1, 2, 8, 9):
        assert f"n{node}" not in text
