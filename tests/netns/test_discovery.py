"""Discovery between machines: found, gone after the goodbye; clones, floods and hostile names."""

import json
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "coordinator"))

from a_coordinator import make

from coordinator.layout import Layout
from coordinator.opening import load_identity
from fedtui.crypto.keys import Identity, fingerprint
from node import config as configs
from node.entering import with_verified
from node.paths import Profile
from node.probing import Probed
from node.sightings import MAX_SIGHTINGS

if TYPE_CHECKING:
    from subprocess import Popen

pytestmark = [pytest.mark.netns, pytest.mark.timeout(120)]

ACTORS = str(Path(__file__).parent / "actors.py")
HOSTILE = "[@click=app.quit]x[/]\x1b]52;c;cm0=\x07\x1b[2J\u202eevil" + "e\u0301\u0301\u0301\u0301"


def listen_on(layout: Layout, host: str, port: int = 8443) -> None:
    text = layout.config.read_text()
    text = text.replace('host = "127.0.0.1"', f'host = "{host}"', 1)
    text = re.sub(r"^port = 0$", f"port = {port}", text, count=1, flags=re.MULTILINE)
    layout.config.write_text(text)


def serve(machine: Any) -> "Popen[bytes]":
    """A real coordinator that announces itself; it stops by SIGTERM."""
    program = str(Path(sys.executable).with_name("fedtui-coordinator"))
    process = machine.start(program, "serve", "--announce", "--dir", "fed")
    until(process, lambda line: b"listening on" in line)
    return process


def until(process: "Popen[bytes]", done: Callable[[bytes], bool]) -> bytes:
    """Read lines up to the one that is awaited; the test's time limit is the limit."""
    for line in process.stdout:
        if done(line):
            return bytes(line)
    raise AssertionError("it ended before it said that")


def actor(machine: Any, *arguments: str) -> "Popen[bytes]":
    return machine.start(sys.executable, ACTORS, *arguments)


def sees(address: str, *, there: bool = True) -> Callable[[bytes], bool]:
    return lambda line: (address in [one[0] for one in json.loads(line)["found"]]) is there


def profile_of(machine: Any) -> Profile:
    root = machine.home / ".local" / "share" / "fedtui" / "default"
    home = Profile("default", root)
    home.create()
    return home


def pin(machine: Any, who: Identity, address: str) -> None:
    """As if the operator had verified that coordinator there before."""
    home = profile_of(machine)
    probed = Probed(address, who.public, "test", (1, 1))
    configs.save(home.config, with_verified(home, configs.NodeConfig(), probed, now_s=1.7e9))


@pytest.mark.parametrize(
    ("host", "address"),
    [("0.0.0.0", "10.77.0.1:8443"), ("::", "[fd77::1]:8443")],  # noqa: S104
)
def test_D1_found_on_another_machine_and_gone_after_the_goodbye(
    lan: dict[str, Any], host: str, address: str
) -> None:
    layout = make(lan["server"].home / "fed")
    listen_on(layout, host)
    listener = actor(lan["ward-a"], "listen", "nowhere")
    coordinator = serve(lan["server"])
    found = json.loads(until(listener, sees(address)))
    assert found["found"] == [[address, "test", "new"]]
    listed = json.loads(lan["ward-b"].run("fedtui discover --seconds 3 --json"))
    assert [one["address"] for one in listed] == [address]
    said = lan["ward-b"].run("fedtui join --at '" + address + "' --fingerprint X 2>&1; echo $?")
    assert said.splitlines()[-1] == "65", "reached only after the fingerprint is read"
    coordinator.send_signal(signal.SIGTERM)
    until(listener, sees(address, there=False))
    assert coordinator.wait() == 0


def test_D2_a_clone_is_listed_and_never_learns_who_we_are(lan: dict[str, Any]) -> None:
    layout = make(lan["server"].home / "fed")
    listen_on(layout, "0.0.0.0")  # noqa: S104
    genuine = load_identity(layout)
    pin(lan["ward-a"], genuine, "10.77.0.1:8443")
    serve(lan["server"])
    clone = actor(lan["ward-b"], "clone", "8443", "test", genuine.id.hex())
    until(clone, lambda line: b"ready" in line)
    listed = json.loads(lan["ward-a"].run("fedtui discover --seconds 3 --json"))
    assert {one["id_hint"] for one in listed} == {fingerprint(genuine.id).replace("-", "")[:16]}
    assert len(listed) <= 2

    print_ = fingerprint(genuine.id)
    command = f"fedtui --profile new join --at 10.77.0.3:8443 --fingerprint {print_} --yes"
    said = lan["ward-a"].run(f"{command} 2>&1; echo $?")
    assert said.splitlines()[-1] == "9", said
    assert "Nothing was sent" in said
    assert json.loads(until(clone, lambda line: b"frames" in line)) == {"frames": [32], "met": 0}

    home = profile_of(lan["ward-a"])
    config = configs.load(home.config)
    table = configs.CoordinatorTable(id=genuine.id.hex(), addresses=["10.77.0.3:8443"])
    configs.save(home.config, configs.NodeConfig(label=config.label, coordinator=table))
    said = lan["ward-a"].run("fedtui join --yes 2>&1; echo $?")
    assert said.splitlines()[-1] == "9", said
    assert json.loads(until(clone, lambda line: b"frames" in line)) == {"frames": [32], "met": 0}


def test_D2_a_flood_of_false_services_leaves_a_short_list_with_the_known_one(
    lan: dict[str, Any],
) -> None:
    layout = make(lan["server"].home / "fed")
    listen_on(layout, "0.0.0.0")  # noqa: S104
    pin(lan["ward-a"], load_identity(layout), "10.77.0.1:8443")
    flood = actor(lan["ward-b"], "flood", "10.77.0.3", "500")
    until(flood, lambda line: json.loads(line)["sent"] >= 500)
    listener = actor(lan["ward-a"], "listen", str(profile_of(lan["ward-a"]).root.parent))
    serve(lan["server"])
    seen = []
    while not (seen and seen[-1]["left_out"] > 1000 and "known" in standings(seen[-1])):
        seen.append(json.loads(until(listener, lambda _: True)))
    assert max(len(each["found"]) for each in seen) == MAX_SIGHTINGS
    assert seen[-1]["found"][0] == ["10.77.0.1:8443", "test", "known"]


def standings(seen: dict[str, Any]) -> set[str]:
    return {standing for _, _, standing in seen["found"]}


def test_D3_hostile_names_are_printed_as_plain_lines(lan: dict[str, Any]) -> None:
    shouter = actor(lan["ward-b"], "shout", "10.77.0.3", HOSTILE)
    until(shouter, lambda line: b"ready" in line)
    said = lan["ward-a"].run("fedtui discover --seconds 3 2>&1")
    line = next(one for one in said.split("\n") if one.startswith("10.77.0.3:8443"))
    assert "[@click=app.quit]x[/]" in line
    assert "(no id)" in line
    assert not [c for c in said if ord(c) < 32 and c != "\n"]
    assert not set(said) & set("\x7f\x9b\u202e")
