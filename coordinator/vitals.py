"""How the running coordinator is, looked up when somebody asks: /healthz and the gauges.

Counting happens where things happen, as plain integers; here the totals are carried over into
Prometheus counters, so that nobody pays for metrics that nobody reads.
"""

import shutil
from statistics import median
from typing import TYPE_CHECKING

from prometheus_client import Counter

from coordinator import database, report
from coordinator.health import Health
from coordinator.report import Surroundings

if TYPE_CHECKING:
    from coordinator.service import CoordinatorService


class Vitals:
    """Looks at a service."""

    def __init__(self, service: "CoordinatorService") -> None:
        self._service = service
        self._carried: dict[int, float] = {}

    def look(self) -> Health:
        """The state of things; brings every gauge and counter up to date."""
        service = self._service
        metrics, gatekeeper = service.metrics, service.gatekeeper
        pending, connected = gatekeeper.num_pending, len(gatekeeper.visits)
        metrics.connections.labels("pending").set(pending)
        metrics.connections.labels("enrolled").set(connected - pending)
        metrics.writer_queue.set(service.store.num_waiting)
        metrics.spool_bytes.set(service.spool.num_bytes)
        wal = service.layout.state / f"{database.DATABASE}-wal"
        metrics.wal_bytes.set(wal.stat().st_size if wal.exists() else 0)
        round_trips = [visit.link.round_trip_s for visit in gatekeeper.visits.values()]
        metrics.round_trip.set(median([s for s in round_trips if s is not None] or [0.0]))
        up, down = gatekeeper.traffic()
        self._carry(metrics.frame_bytes.labels("received"), up)
        self._carry(metrics.frame_bytes.labels("sent"), down)
        self._carry(metrics.rejections, service.num_turned_away)
        degraded = service.driver.degraded
        metrics.degraded.set(0 if degraded is None else 1)
        around = Surroundings(fingerprint="", incarnation=0, degraded=degraded)
        return Health(
            ready=degraded is None and service.ports.nodes > 0,
            state=report.of_running(service.federation, around).state,
            incarnation=service.store.incarnation,
            database="ok" if degraded is None else "degraded",
            disk_free_bytes=shutil.disk_usage(service.layout.state).free,
            loop_lag_s=metrics.lag_p99(),
            connected=connected,
            pending=pending,
            phase=service.federation.phase.name.lower(),
        )

    def _carry(self, counter: Counter, total: float) -> None:
        """Let a counter catch up with a total that only grows."""
        known = self._carried.get(id(counter), 0.0)
        if total > known:
            counter.inc(total - known)
            self._carried[id(counter)] = total
