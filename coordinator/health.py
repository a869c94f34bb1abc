"""/healthz, /readyz and /metrics: a listener of its own, for this machine only."""

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from coordinator.metrics import Metrics
from coordinator.server import bind_error

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What /healthz tells. `ready`: nodes can connect and what they send can be kept."""

    ready: bool
    state: str
    incarnation: int
    database: str
    disk_free_bytes: int
    loop_lag_s: float
    connected: int
    pending: int
    phase: str


class HealthServer:
    """Serves what `look` returns; `look` must be quick."""

    def __init__(self, look: Callable[[], Health], metrics: Metrics) -> None:
        self._look = look
        self._metrics = metrics
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises BindError if it is taken or forbidden."""
        app = web.Application(middlewares=[_local_only])
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._expose)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            raise bind_error(error, host=host, port=port, section="health") from error
        self._runner = runner
        return int(runner.addresses[0][1])

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _healthz(self, _request: web.Request) -> web.Response:
        return _json(self._look(), status=200)

    async def _readyz(self, _request: web.Request) -> web.Response:
        health = self._look()
        return _json(health, status=200 if health.ready else 503)

    async def _expose(self, _request: web.Request) -> web.Response:
        self._look()  # brings the gauges up to date
        return web.Response(
            body=self._metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )


@web.middleware
async def _local_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse web pages: a browser on this machine must not read this for a stranger's site."""
    name = request.host.rsplit(":", 1)[0].strip("[]")
    if "Origin" in request.headers or name not in {"127.0.0.1", "localhost", "::1"}:
        raise web.HTTPForbidden(text="this is for programs on this machine\n")
    return await handler(request)


def _json(health: Health, *, status: int) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(health) + b"\n", status=status, content_type="application/json"
    )
