"""Keys replaced with the real programs: a node's between rounds, a coordinator's between lives."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from programs import Federation

from node.own_key import OwnKey

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Federation:
    return Federation(tmp_path_factory.mktemp("template"), nodes=2, rounds=10_000).init()


@pytest.fixture
def federation(template: Federation, tmp_path: Path) -> Iterator[Federation]:
    found = template.copy(tmp_path / "f")
    found.serve()
    yield found
    found.close()


def counted(federation: Federation, name: str) -> int:
    return int(str(federation.status(name).get("rounds_counted", 0)))


def trains_on(federation: Federation, *names: str) -> None:
    """Wait until two more rounds with each node's update are committed."""
    before = {name: counted(federation, name) for name in names}
    for name in names:
        federation.until(lambda name=name: counted(federation, name) >= before[name] + 2)


def nodes(federation: Federation) -> dict[str, dict[str, object]]:
    listed = federation.coordinator("nodes", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    return {line["fingerprint"]: line for line in json.loads(listed.stdout)}


def test_a_node_rotates_its_key_and_goes_on_training(federation: Federation) -> None:
    for name in ("a", "b"):
        assert federation.join(name).returncode == 0
    trains_on(federation, "a", "b")
    old = json.loads(federation.fedtui("a", "key", "show", "--json").stdout)
    copy = (federation.folder / "nodes" / "a" / "identity.key").read_bytes()
    rotated = federation.fedtui("a", "key", "rotate", "--json")
    assert rotated.returncode == 0, rotated.stderr
    new = json.loads(rotated.stdout)
    assert new["id"] != old["id"]
    assert new["former"] == [old["fingerprint"]]
    trains_on(federation, "a", "b")
    seen = nodes(federation)
    assert seen[old["fingerprint"]]["state"] == "rotated"
    for fact in ("role", "label"):
        assert seen[new["fingerprint"]][fact] == seen[old["fingerprint"]][fact]
    assert seen[new["fingerprint"]]["state"] == "enrolled"
    audit = federation.coordinator("audit", "show").stdout
    assert audit.count("key rotated") == 1

    # an old copy of the key is of no use to anybody
    assert federation.fedtui("a", "stop").returncode == 0
    key = federation.folder / "nodes" / "a" / "identity.key"
    renewed = key.read_bytes()
    key.write_bytes(copy)
    refused = federation.fedtui("a", "join")
    assert refused.returncode == 8
    assert "old copy" in refused.stderr
    key.write_bytes(renewed)
    assert federation.fedtui("a", "join").returncode == 0
    assert federation.status("a")["node_id"] == new["id"]


def kill(federation: Federation, name: str) -> Path:
    """End a node as rudely as can be; return its folder."""
    os.kill(int(str(federation.status(name)["pid"])), signal.SIGKILL)
    federation.until(lambda: not federation.status(name))
    return federation.folder / "nodes" / name


def test_a_node_killed_in_the_middle_of_a_rotation_finishes_it(federation: Federation) -> None:
    for name in ("a", "b"):
        assert federation.join(name).returncode == 0
    first = str(federation.status("a")["node_id"])

    # killed before the coordinator heard: the new key is drawn, and that is all
    folder = kill(federation, "a")
    old_file = (folder / "identity.key").read_bytes()
    own = OwnKey.open(folder)
    own.draw()
    assert own.successor is not None
    second = own.successor.id.hex()
    assert federation.fedtui("a", "join").returncode == 0
    federation.until(lambda: federation.status("a").get("node_id") == second)
    trains_on(federation, "a", "b")

    # killed before the node heard: the coordinator has the new key, the node's files are the old
    folder = kill(federation, "a")
    (folder / "identity.key").rename(folder / "identity.key.next")
    (folder / "identity.key").write_bytes(old_file)
    (folder / "identity.key").chmod(0o600)
    (folder / "former.json").unlink()
    assert OwnKey.open(folder).identity.id.hex() == first
    assert federation.fedtui("a", "join").returncode == 0
    federation.until(lambda: federation.status("a").get("node_id") == second)
    trains_on(federation, "a", "b")
    states = sorted(str(line["state"]) for line in nodes(federation).values())
    assert states == ["enrolled", "enrolled", "rotated"]


def test_E3_a_coordinator_rotates_its_key_and_a_stranger_is_a_hard_stop(
    federation: Federation,
) -> None:
    for name in ("a", "b"):
        assert federation.join(name).returncode == 0
    trains_on(federation, "a", "b")
    running = federation.coordinator("key", "rotate")
    assert running.returncode == 75, "not while it runs"
    federation.stop()
    rotated = federation.coordinator("key", "rotate", "--json")
    assert rotated.returncode == 0, rotated.stderr
    made = json.loads(rotated.stdout)
    federation.serve()
    trains_on(federation, "a", "b")
    for name in ("a", "b"):
        seen = federation.status(name)["coordinator"]
        assert isinstance(seen, dict)
        assert (seen["fingerprint"], [seen["formerly"]]) == (made["fingerprint"], made["former"])
        assert f"it is {made['fingerprint']} now" in federation.log(name)
        assert "its key was rotated" in federation.fedtui(name, "status").stdout
    assert federation.coordinator("audit", "verify").returncode == 0
    assert "coordinator key rotated" in federation.coordinator("audit", "show").stdout

    # without the statement of the old key every node stops, and goes on when it is back
    federation.stop()
    assert federation.fedtui("a", "stop").returncode == 0
    assert federation.coordinator("key", "rotate").returncode == 0
    statement = federation.directory / "rotations.json"
    kept = statement.read_bytes()
    statement.unlink()
    federation.serve()
    refused = federation.fedtui("a", "join")
    assert refused.returncode == 9
    assert made["fingerprint"] in refused.stderr
    assert "trust replace" in refused.stderr
    federation.until(lambda: federation.status("b").get("state") == "stopped")
    federation.stop()
    statement.write_bytes(kept)
    federation.serve()
    for name in ("a", "b"):
        done = federation.fedtui(name, "join")
        assert done.returncode == 0, done.stderr
    trains_on(federation, "a", "b")
