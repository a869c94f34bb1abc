"""Whole rounds over a slow line, with changes instead of models: all end with the same bits.

The line has 10 Mbit/s, and 100 ms and 1 % loss where the kernel has netem.
"""

import json
import subprocess
import time
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

PLAN = """\
[federation]
name = "slow"
[task]
name = "digits"
[training]
learning_rate = 0.05
[selection]
minimum = 2
[rounds]
start_with = 2
maximum = 5
[privacy]
updates = "visible"
[traffic]
model_bits = 8
"""
NETEM = ("netem", "delay", "25ms", "loss", "0.5%", "rate", "10mbit")
RATE = ("tbf", "rate", "10mbit", "burst", "32kbit", "latency", "400ms")


def slow(machine: Any) -> None:
    """What leaves the machine goes over such a line from now on."""
    for discipline in (NETEM, RATE):
        tc = ["tc", "-n", machine.namespace, "qdisc", "add", "dev", "eth0", "root"]
        if subprocess.run([*tc, *discipline], capture_output=True, check=False).returncode == 0:
            return
    pytest.fail("tc can limit no line here")


def digests(folder: Path) -> set[str]:
    """Of all checkpoints, in hex: each that of all after the header."""
    files = [path.read_bytes() for path in folder.glob("model-*.safetensors")]
    bodies = [data[8 + int.from_bytes(data[:8], "little") :] for data in files]
    return {blake2b(body, digest_size=32).hexdigest() for body in bodies}


def final_model(machine: Any) -> str:
    """Wait until the node holds the federation's result; its digest, as the node took it."""
    while True:
        for noted in machine.home.rglob("certified.json"):
            for model in json.loads(noted.read_text())["models"]:
                digest = str(model["digest"])
                if model["final"] and (file := noted.parent / f"{digest}.f32").exists():
                    assert blake2b(file.read_bytes(), digest_size=32).hexdigest() == digest
                    return digest
        time.sleep(0.2)


@pytest.mark.netns
@pytest.mark.timeout(300)
def test_whole_rounds_over_a_slow_line_end_with_the_same_bits(lan: dict[str, Any]) -> None:
    server, wards = lan["server"], [lan["ward-a"], lan["ward-b"]]
    for machine in lan.values():
        slow(machine)
    (server.home / "plan.toml").write_text(PLAN)
    address = f"{server.address}:8443"
    server.run(f"fedtui-coordinator init --dir fed --plan plan.toml --address {address}")
    server.serve("fedtui-coordinator serve --dir fed &")
    for place, ward in enumerate(wards):
        invite = server.run(f"fedtui-coordinator invite --dir fed --label ward-{place}")
        (ward.home / "invite").touch(mode=0o600)
        (ward.home / "invite").write_text(invite)
        status = json.loads(server.run("fedtui-coordinator status --dir fed --json"))
        ward.run(
            f"fedtui join --invite-file invite --label ward-{place} --shard {place}/2 "
            f"--visible --accept {status['plan_hash']} --json"
        )
    listed = json.loads(server.run("fedtui-coordinator nodes list --dir fed --json"))
    for node in listed:
        server.run(f"fedtui-coordinator nodes approve --dir fed {node['fingerprint']}")
    while not json.loads(server.run("fedtui-coordinator status --dir fed --json"))["ended"]:
        time.sleep(0.5)
    finals = {final_model(ward) for ward in wards}
    assert len(finals) == 1
    assert finals <= digests(server.home / "fed" / "state" / "checkpoints")
    for ward in wards:
        assert "came as a change" in ward.run("cat $(find . -name '*.log')")
