"""`key show` and `key rotate`: public facts only, also when the node does not run."""

import json

import pytest
from fake_node import PLAN, FakeNode

from fedtui.crypto.keys import fingerprint
from fedtui.status import PlanSeen
from node import cli, cli_key
from node.own_key import OwnKey
from node.paths import Profile


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_key, "words", lambda _: ("loyal", "draft"))


def key(*arguments: str) -> int:
    return cli._run(["--profile", "p", "key", *arguments])


def test_the_key_is_shown_without_a_running_node(
    home: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    assert key("show") == 77
    assert "does not exist" in capsys.readouterr().err
    own = OwnKey.open(home.root)
    assert key("show") == 0
    assert capsys.readouterr().out == (
        f"fingerprint  {fingerprint(own.identity.id)}\nwords        loyal draft\n"
    )


def test_former_keys_and_a_rotation_under_way_are_shown(
    home: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    own = OwnKey.open(home.root)
    first = own.identity
    own.draw()
    own.adopt(1.0)
    own.draw()
    assert key("show") == 0
    said = capsys.readouterr().out
    assert f"formerly     {fingerprint(first.id)}, until 1970-01-01" in said
    assert "under way" in said
    assert key("show", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {
        "id": own.identity.id.hex(),
        "fingerprint": fingerprint(own.identity.id),
        "words": ["loyal", "draft"],
        "former": [fingerprint(first.id)],
        "rotating": True,
    }


def test_rotating_asks_the_running_node(
    home: Profile, running: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert key("rotate") == 2, "it is in no federation"
    assert cli._run(["--profile", "p", "status"]) == 0
    capsys.readouterr()
    running.board.post(PlanSeen(plan=PLAN, consented=True))
    assert key("rotate", "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["id"] == "cd" * 32
    assert "backup" in shown.err


def test_without_a_node_nothing_is_rotated(
    home: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    own = OwnKey.open(home.root)
    assert key("rotate") == 6
    assert OwnKey.open(home.root).identity.id == own.identity.id
    assert OwnKey.open(home.root).successor is None
