"""A real node, watched through its control socket, in a real masked federation of three.

What the screen is told is what happened: the order of the steps, bytes that a proxy counted on the
socket, the history, own scores, privacy figures.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from counting_proxy import CountingProxy
from programs import Federation

from fedtui.control.client import ControlClient
from fedtui.control.clock import utc
from fedtui.rounds.plan import MASKED
from fedtui.status import NodeStatus
from node import config as configs
from node import daemon, ledger
from node.board import Board
from node.control import ControlServer
from node.controls import Node
from node.history import rounds
from node.own_key import OwnKey
from node.paths import Profile, profile

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(600)]

PLAN = """
[federation]
name = "digits"
[task]
name = "digits"
[training]
epochs = 2
[rounds]
maximum = 2
start_with = 3
"""


class Masked(Federation):
    """Three nodes with the real task; each has all the data to itself."""

    def init(self) -> "Masked":
        plan = self.folder / "plan.toml"
        plan.write_text(PLAN)
        (self.folder / "run").mkdir(mode=0o700)
        made = self.coordinator(
            *("init", "--plan", str(plan), "--host", "127.0.0.1"),
            *("--port", "0", "--health-port", "0", "--address", "127.0.0.1", "--json"),
        )
        assert made.returncode == 0, made.stderr
        self.plan_hash = str(json.loads(made.stdout)["plan_hash"])
        return self

    def enter(self, name: str) -> None:
        done = self.fedtui(
            name,
            *("join", "--invite-file", str(self.invite("--auto-approve"))),
            *("--label", name, "--accept", self.plan_hash),
        )
        assert done.returncode == 0, done.stderr

    def port(self) -> int:
        log = (self.folder / "coordinator.log").read_text()
        return int(re.search(r"listening on [\d.]+:(\d+)", log)[1])


@pytest.fixture
def federation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Masked:
    found = Masked(tmp_path / "f", nodes=3, rounds=2)
    found.folder.mkdir()
    found.init()
    found.serve()
    monkeypatch.setenv("FEDTUI_HOME", found.environment["FEDTUI_HOME"])
    monkeypatch.setenv("XDG_RUNTIME_DIR", found.environment["XDG_RUNTIME_DIR"])
    yield found
    found.close()


@pytest.fixture
async def proxy(federation: Masked) -> AsyncIterator[CountingProxy]:
    """Between coordinator and node a, which has joined and is stopped."""
    await asyncio.to_thread(federation.enter, "a")
    stopped = await asyncio.to_thread(federation.fedtui, "a", "stop")
    assert stopped.returncode == 0
    found = CountingProxy(federation.port())
    port = await found.start()
    toml = federation.folder / "nodes" / "a" / "node.toml"
    text = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", toml.read_text())
    toml.write_text(text)
    yield found
    await found.close()


def daemon_of(home: Profile) -> tuple[Node, Board]:
    """The daemon's parts, in this process."""
    config = configs.load(home.config)
    key = OwnKey.open(home.root)
    board = Board(daemon._first(home, config, key.identity), clock=utc)
    return daemon._node(home, config, key, board), board


async def watched(socket: Path, seen: list[NodeStatus]) -> None:
    async for status in ControlClient(socket).watch():
        seen.append(status)
        if status.final and len(status.rounds) == 2 and status.rounds[-1].score is not None:
            return


async def test_what_is_watched_is_what_happened(federation: Masked, proxy: CountingProxy) -> None:
    home = profile("a")
    node, board = daemon_of(home)
    server = ControlServer(home.socket(), controls=node, board=board)
    await node.start()
    await server.start()
    link = node._link
    seen: list[NodeStatus] = []
    watching = asyncio.create_task(watched(home.socket(), seen))
    for name in ("b", "c"):
        await asyncio.to_thread(federation.enter, name)
    await watching
    last = await ControlClient(home.socket()).status()
    history = await ControlClient(home.socket()).history()
    payload = link.meter.read(0.0).sent_payload
    up, down = link.totals()
    await node.close()
    await server.close()
    await proxy.close()

    # steps in order, and each of them done
    order = [
        (one.round.number, one.round.phase) for one in seen if one.round.number and one.round.phase
    ]
    for number in (1, 2):
        phases = list(dict.fromkeys(phase for found, phase in order if found == number))
        names = ["download", "train", "share", "mask", "upload", "confirm", "aggregate"]
        told = [name for name in names if name in phases]
        assert phases[: len(told)] == told
        assert {"train", "confirm"} <= set(told)
    assert len(last.rounds) == 2
    for past in last.rounds:
        assert (past.outcome, past.masked, past.cohort, past.dropped) == ("counted", True, 3, 0)
        assert past.threshold == 3
        assert past.score is not None
        states = {one.phase: one.state for one in past.steps}
        assert states.pop("evaluate") == "done"
        assert set(states.values()) == {"done"}
        assert past.bytes_up + past.bytes_down == sum(one.num_bytes for one in past.steps)
        assert past.seconds > 0

    # bytes: the ledger's payload is the link's, the link's frames are the socket's
    entries = [one for one in ledger.entries(home.ledger) if one.kind == "left"]
    updates = [one for one in entries if one.what.startswith("update")]
    assert [one.round for one in updates] == [1, 2]
    assert all(one.form == MASKED for one in entries)
    assert sum(one.num_bytes for one in updates) == payload
    assert up == proxy.up.num_payload
    assert down == proxy.down.num_payload
    for counted in (proxy.up, proxy.down):
        known = counted.num_headers + counted.num_upgrade + counted.num_control
        assert counted.num_tcp == counted.num_payload + known
    assert payload < up < payload + 200_000, "the rest is plan, keys, shares and votes"
    assert last.traffic.up <= up
    assert sum(past.bytes_up for past in last.rounds) <= up
    for past, entry in zip(last.rounds, updates, strict=True):
        upload = next(one for one in past.steps if one.phase == "upload")
        assert upload.num_bytes >= entry.num_bytes

    # history, also for the next life
    assert history == last.rounds
    assert rounds(home.history, 10) == last.rounds

    # own scores, measured here, before and after
    assert [one.round for one in last.own_scores] == [1, 2]
    for score in last.own_scores:
        assert score.metric == "accuracy"
        assert 0 < score.num_examples <= 1000
        assert 0 <= score.before <= 1
        assert score.after > 0.5
    assert last.own_scores[1].before > last.own_scores[0].before, "rounds are of use"
    assert max(len(one.training.losses) for one in seen) > 0

    # privacy: of the plan while nothing runs, of the roster in a round
    private = [one.privacy for one in seen if one.privacy.roster_hash]
    assert private
    assert {(one.cohort, one.threshold, one.minimum, one.colluders) for one in private} == {
        (3, 3, 3, 1)
    }
    assert len({one.roster_hash for one in private}) >= 2, "each round has its own roster"
    assert len(last.roster) == 3
    assert sum(one.is_me for one in last.roster) == 1
    assert not any(one.lost for one in last.roster)
    assert last.receipt is not None
    assert len(last.receipt.data_digest) == 64
    assert last.alarms == ()
    assert last.machine.num_cores > 0
    assert last.coordinator.words == () or len(last.coordinator.words) == 6
