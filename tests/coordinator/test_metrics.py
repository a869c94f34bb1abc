import re

from coordinator.metrics import Metrics


def test_the_p99_of_the_loops_lag() -> None:
    metrics = Metrics()
    assert metrics.lag_p99() == 0.0
    for _ in range(199):
        metrics.saw_lag(0.001)
    metrics.saw_lag(-1.0)
    assert metrics.lag_p99() == 0.001
    for _ in range(5):
        metrics.saw_lag(0.5)
    assert metrics.lag_p99() == 0.5


def test_names_and_labels() -> None:
    metrics = Metrics()
    metrics.connections.labels("pending").set(2)
    metrics.rounds.labels("finished").inc()
    text = metrics.exposition().decode()
    names = set(re.findall(r"^# TYPE (\w+)", text, flags=re.MULTILINE))
    assert all(name.startswith("fedtui_") for name in names)
    for wanted in (
        "fedtui_connections",
        "fedtui_loop_lag_p99_seconds",
        "fedtui_writer_queue_length",
        "fedtui_commit_seconds",
        "fedtui_fsync_seconds",
        "fedtui_spool_bytes",
        "fedtui_wal_bytes",
        "fedtui_phase_seconds",
        "fedtui_survivors",
        "fedtui_dropouts_total",
        "fedtui_resumed_bytes_total",
    ):
        assert wanted in names
    assert 'fedtui_connections{state="pending"} 2.0' in text


def test_two_coordinators_in_one_process_do_not_share_counters() -> None:
    first, second = Metrics(), Metrics()
    first.decrypt_failures.inc()
    assert "fedtui_decrypt_failures_total 0.0" in second.exposition().decode()
