import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from msgspec.structs import replace

from coordinator.health import Health, HealthServer
from coordinator.metrics import Metrics
from coordinator.server import BindError

GOOD = Health(
    ready=True,
    state="waiting",
    incarnation=3,
    database="ok",
    disk_free_bytes=10,
    loop_lag_s=0.0,
    connected=1,
    pending=0,
    phase="gathering",
)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
    await asyncio.sleep(0)


async def test_health_readiness_and_metrics(http: aiohttp.ClientSession) -> None:
    seen = [GOOD]
    server = HealthServer(lambda: seen[-1], Metrics())
    port = await server.start("127.0.0.1", 0)
    base = f"http://127.0.0.1:{port}"
    async with http.get(f"{base}/healthz") as answer:
        assert answer.status == 200
        assert (await answer.json())["incarnation"] == 3
    async with http.get(f"{base}/readyz") as answer:
        assert answer.status == 200
    seen.append(replace(GOOD, ready=False, state="degraded", database="degraded"))
    async with http.get(f"{base}/readyz") as answer:
        assert answer.status == 503
    async with http.get(f"{base}/healthz") as answer:
        assert (answer.status, (await answer.json())["state"]) == (200, "degraded")
    async with http.get(f"{base}/metrics") as answer:
        assert "fedtui_commit_seconds_bucket" in await answer.text()
    await server.stop()


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Host": "rebound.example"}]
)
async def test_web_pages_are_turned_away(
    http: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    server = HealthServer(lambda: GOOD, Metrics())
    port = await server.start("127.0.0.1", 0)
    async with http.get(f"http://127.0.0.1:{port}/metrics", headers=headers) as answer:
        assert answer.status == 403
    async with http.post(f"http://127.0.0.1:{port}/healthz") as answer:
        assert answer.status == 405
    await server.stop()


async def test_L6_a_taken_port_is_one_clear_sentence() -> None:
    first, second = HealthServer(lambda: GOOD, Metrics()), HealthServer(lambda: GOOD, Metrics())
    port = await first.start("127.0.0.1", 0)
    with pytest.raises(BindError, match=r"another program .* \[health\]"):
        await second.start("127.0.0.1", port)
    await first.stop()
