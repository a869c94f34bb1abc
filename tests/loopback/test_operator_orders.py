"""What operators order, with real programs: stop sharing while nobody answers, limits, leaving."""

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from programs import Federation

from fedtui.control.client import ControlClient

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(300)]

UPDATE_BYTES = 4 * 50_000


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Federation:
    return Federation(tmp_path_factory.mktemp("template"), nodes=2, rounds=30, seconds=3.0).init()


@pytest.fixture
def federation(template: Federation, tmp_path: Path) -> Iterator[Federation]:
    found = template.copy(tmp_path / "f")
    found.serve()
    yield found
    found.close()


def join_both(federation: Federation, *options: str) -> None:
    """Two members; the rounds begin when the second is in."""
    for name in ("a", "b"):
        done = federation.join(name, *(options if name == "b" else ()))
        assert done.returncode == 0, done.stderr


def ledger(federation: Federation, name: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(
        federation.fedtui(name, "ledger", "--json", "-n", "2000").stdout
    )
    return found


def connections(pid: int) -> list[object]:
    return [one for one in psutil.Process(pid).net_connections("tcp") if one.raddr]


def test_pause_now_needs_nobodys_answer(federation: Federation) -> None:
    """The coordinator hangs in mid-round: trainer gone, socket gone, update gone, and it lasts."""
    join_both(federation)
    federation.until(lambda: federation.log("b").count("training for round") >= 2)
    pid = int(str(federation.status("b")["pid"]))
    assert federation._server is not None
    server = psutil.Process(federation._server.pid)
    server.send_signal(signal.SIGSTOP)
    try:
        trainers = psutil.Process(pid).children()
        assert trainers
        assert connections(pid)
        before = ledger(federation, "b")
        (socket,) = (federation.folder / "run" / "fedtui").glob("b-*.sock")
        began = time.monotonic()
        asyncio.run(ControlClient(socket).stop_sharing())
        print(f"the node stopped within {1000 * (time.monotonic() - began):.0f} ms")  # noqa: T201
        assert not any(one.is_running() for one in trainers)
        assert connections(pid) == []
        assert not list((federation.folder / "nodes" / "b" / "work").iterdir())
        assert federation.status("b")["state"] == "paused"
        log = federation.log("b")
        asked, stopped = log.find("you stopped sharing, nothing"), log.find("is discarded")
        assert asked >= 0
        assert stopped >= 0
    finally:
        server.send_signal(signal.SIGCONT)
    assert federation.coordinator("status").returncode == 0, "it goes on"
    assert ledger(federation, "b") == before, "nothing was announced, so nothing left"
    assert connections(pid) == []
    assert federation.fedtui("b", "stop").returncode == 0
    assert federation.fedtui("b", "node").returncode == 0
    assert federation.status("b")["state"] == "paused", "the next life stays away, too"
    assert connections(int(str(federation.status("b")["pid"]))) == []
    assert federation.fedtui("b", "resume").returncode == 0
    federation.until(lambda: len(ledger(federation, "b")) > len(before))


def test_a_days_volume_holds_although_rounds_go_on(federation: Federation) -> None:
    allowed_mb = 2.5 * UPDATE_BYTES / 1e6
    done = federation.fedtui("b", "limit", "--upload-per-day", str(allowed_mb))
    assert done.returncode == 0, done.stderr
    join_both(federation)
    federation.until(lambda: federation.status("b").get("state") == "resting")
    announced = sum(int(str(line["num_bytes"])) for line in ledger(federation, "b"))
    assert announced <= allowed_mb * 1e6
    text = federation.fedtui("b", "status").stdout
    assert "RESTING" in text
    assert "midnight UTC" in " ".join(text.split())
    assert federation.fedtui("b", "limit", "--upload-per-day", "0").returncode == 0
    federation.until(lambda: len(ledger(federation, "b")) >= 4)


def test_leaving_after_the_round_leaves_a_counted_update(federation: Federation) -> None:
    join_both(federation)
    federation.until(lambda: federation.log("b").count("training for round") >= 2)
    done = federation.fedtui("b", "leave", "--after-round", "--yes")
    assert done.returncode == 0, done.stderr
    federation.until(lambda: federation.fedtui("b", "status").returncode == 6)
    log = federation.log("b")
    leaving = log.find("leaves the federation when round")
    assert leaving >= 0, log
    assert "yours is in it" in log[leaving:]
    lines = json.loads(federation.coordinator("nodes", "list", "--json").stdout)
    assert {line["label"]: line["state"] for line in lines}["b"] == "left"
    assert not (federation.folder / "nodes" / "b" / "orders.json").exists()
