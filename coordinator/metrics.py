"""What Prometheus may read of the coordinator. No label holds a remote string or a node's id."""

from collections import deque

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_SLOW = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
_LAG_SAMPLES = 240


class Metrics:
    """All counters and gauges of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        of = self.registry
        self.connections = Gauge(
            "fedtui_connections", "Sessions by state.", ["state"], registry=of
        )
        self.handshakes = Counter(
            "fedtui_handshakes",
            "Handshakes by result and close code.",
            ["result", "code"],
            registry=of,
        )
        self.rejections = Counter(
            "fedtui_preauth_rejections", "Turned away before a handshake.", registry=of
        )
        self.frame_bytes = Counter(
            "fedtui_frame_bytes", "Bytes of records.", ["direction"], registry=of
        )
        self.decrypt_failures = Counter(
            "fedtui_decrypt_failures", "Records that did not open.", registry=of
        )
        self.round_trip = Gauge(
            "fedtui_heartbeat_round_trip_seconds", "Echo and back, median.", registry=of
        )
        self.loop_lag = Gauge(
            "fedtui_loop_lag_p99_seconds", "How late the event loop is.", registry=of
        )
        self.writer_queue = Gauge("fedtui_writer_queue_length", "Commits that wait.", registry=of)
        self.commit = Histogram(
            "fedtui_commit_seconds", "A database commit.", buckets=_FAST, registry=of
        )
        self.fsync = Histogram(
            "fedtui_fsync_seconds", "Syncing an update.", buckets=_FAST, registry=of
        )
        self.spool_bytes = Gauge(
            "fedtui_spool_bytes", "Updates that wait to be combined.", registry=of
        )
        self.wal_bytes = Gauge("fedtui_wal_bytes", "Write-ahead log of the database.", registry=of)
        self.phase_seconds = Histogram(
            "fedtui_phase_seconds",
            "Seconds in a phase of a round.",
            ["phase"],
            buckets=_SLOW,
            registry=of,
        )
        self.rounds = Counter("fedtui_rounds", "Attempts by outcome.", ["outcome"], registry=of)
        self.survivors = Gauge("fedtui_survivors", "Updates in the newest model.", registry=of)
        self.dropouts = Counter(
            "fedtui_dropouts", "Chosen nodes whose update did not come.", registry=of
        )
        self.resumed_bytes = Counter(
            "fedtui_resumed_bytes",
            "Bytes not sent again because an upload was resumed.",
            registry=of,
        )
        self.degraded = Gauge("fedtui_degraded", "1 while nothing can be written.", registry=of)
        self._lags: deque[float] = deque(maxlen=_LAG_SAMPLES)

    def saw_lag(self, lag_s: float) -> None:
        """Another sample of how late the loop woke up."""
        self._lags.append(max(0.0, lag_s))
        self.loop_lag.set(self.lag_p99())

    def lag_p99(self) -> float:
        """99th percentile of the last samples; 0 before the first."""
        if not self._lags:
            return 0.0
        ordered = sorted(self._lags)
        return ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]

    def exposition(self) -> bytes:
        """The text that /metrics answers."""
        return generate_latest(self.registry)
