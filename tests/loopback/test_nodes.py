"""Nodes as their operators run them, against a real coordinator: joined, killed, revoked, left."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from programs import Federation

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Federation:
    return Federation(tmp_path_factory.mktemp("template"), nodes=2, rounds=5).init()


@pytest.fixture
def federation(template: Federation, tmp_path: Path) -> Iterator[Federation]:
    found = template.copy(tmp_path / "f")
    found.serve()
    yield found
    found.close()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in found.read_text().split()] if found.exists() else []


def test_R2_a_node_killed_in_mid_round_comes_back_and_the_federation_ends(
    federation: Federation,
) -> None:
    assert federation.join("a").returncode == 0
    done = federation.join("b", "--json")
    assert done.returncode == 0, done.stderr
    before = json.loads(done.stdout)
    federation.until(lambda: federation.log("b").count("training for round") >= 2)
    pid = int(before["pid"])
    trainers = children(pid)
    os.kill(pid, signal.SIGKILL)
    federation.until(lambda: not any(is_alive(child) for child in trainers))
    assert federation.fedtui("b", "status").returncode == 6
    again = federation.fedtui("b", "join", "--json")
    assert again.returncode == 0, again.stderr
    after = json.loads(again.stdout)
    assert after["node_id"] == before["node_id"]
    assert after["consented"]
    assert after["coordinator"] == before["coordinator"]
    for name in ("a", "b"):
        federation.until(lambda name=name: bool(federation.status(name).get("final")))
        out = federation.folder / f"{name}.safetensors"
        done = federation.fedtui(name, "model", "export", "--out", str(out))
        assert done.returncode == 0, done.stderr
    one, two = (federation.folder / f"{name}.safetensors" for name in ("a", "b"))
    assert one.read_bytes() == two.read_bytes()
    entries = json.loads(federation.fedtui("b", "ledger", "--json").stdout)
    assert all(entry["digest"] for entry in entries if entry["what"].startswith("update"))


def test_what_a_coordinator_refuses_has_its_exit_code(federation: Federation) -> None:
    invite = federation.invite().read_text()
    used = federation.folder / "used"
    used.write_text(invite)
    options = ("--task-file", str(federation.task), "--accept", federation.plan_hash, "--visible")
    first = federation.fedtui("a", "join", "--invite-file", str(used), *options)
    assert first.returncode == 0, first.stderr
    assert "waiting for approval" in first.stderr
    second = federation.fedtui("b", "join", "--invite-file", str(used), *options)
    assert second.returncode == 8, "E1: one invite, one node"
    assert "invite" in second.stderr
    assert federation.fedtui("b", "status").returncode == 6, "nothing is left running"
    fingerprint = str(federation.status("a")["fingerprint"])
    assert federation.coordinator("nodes", "approve", fingerprint).returncode == 0
    federation.until(lambda: federation.status("a").get("state") == "waiting")
    assert federation.coordinator("nodes", "revoke", fingerprint).returncode == 0
    federation.until(lambda: federation.status("a").get("state") == "stopped")
    problem = federation.status("a")["problem"]
    assert isinstance(problem, dict)
    assert problem["code"] == 4008
    again = federation.fedtui("a", "join")
    assert again.returncode == 8
    assert "revoked" in again.stderr


def test_another_plan_is_refused_and_pause_leave_and_stop_work(federation: Federation) -> None:
    refused = federation.fedtui(
        "a",
        *("join", "--invite-file", str(federation.invite("--auto-approve"))),
        *("--task-file", str(federation.task), "--accept", "0" * 64, "--visible"),
    )
    assert refused.returncode == 7
    assert federation.plan_hash in refused.stderr
    taken = federation.fedtui("a", "join", "--accept", federation.plan_hash, "--visible", "--wait")
    assert taken.returncode == 0, taken.stderr
    assert federation.fedtui("a", "pause").returncode == 0
    assert federation.status("a")["state"] == "paused"
    assert federation.fedtui("a", "stop").returncode == 0
    assert federation.fedtui("a", "status").returncode == 6
    assert federation.fedtui("a", "node").returncode == 0
    federation.until(lambda: federation.status("a").get("state") == "paused")
    assert federation.fedtui("a", "resume").returncode == 0
    assert federation.fedtui("a", "leave", "--yes").returncode == 0
    assert federation.fedtui("a", "status").returncode == 6
    lines = json.loads(federation.coordinator("nodes", "list", "--json").stdout)
    assert [line["state"] for line in lines] == ["left"]


def test_E3_another_coordinator_at_the_same_address_is_a_hard_stop(federation: Federation) -> None:
    assert federation.join("a").returncode == 0
    toml = federation.folder / "nodes" / "a" / "node.toml"
    assert federation.fedtui("a", "stop").returncode == 0
    pinned = str(json.loads(federation.fedtui("a", "trust", "--json").stdout)[0]["id"])
    stranger = "ab" * 32
    toml.write_text(toml.read_text().replace(pinned, stranger))
    refused = federation.fedtui("a", "join")
    assert refused.returncode == 9
    assert "trust replace" in refused.stderr
    real = str(json.loads(federation.fedtui("a", "trust", "--json").stdout)[0]["fingerprint"])
    wrong = federation.fedtui("a", "trust", "replace", "--id", "AAAA-" * 7 + "AAAA")
    assert wrong.returncode == 9
    assert real in wrong.stderr


def test_the_daemon_lives_in_little_memory(federation: Federation) -> None:
    done = federation.join("a", "--json")
    pid = json.loads(done.stdout)["pid"]
    status = Path(f"/proc/{pid}/status").read_text()
    rss_kb = int(status.partition("VmRSS:")[2].split()[0])
    assert rss_kb < 60_000
