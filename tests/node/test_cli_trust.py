"""`trust` and `trust replace`: shown as people compare it, changed only to what they typed."""

import json

import pytest
from a_plan import COORDINATOR
from fake_federation import write_config

from fedtui.crypto.keys import Identity, fingerprint
from fedtui.wire.events import ServerIdentified
from fedtui.wire.messages import ServerHello
from node import cli, cli_trust, dial
from node import config as configs
from node.keystore import TrustStore
from node.paths import Profile

NEW = Identity.from_seed(b"2" * 32)


def trust(*arguments: str) -> int:
    return cli._run(["--profile", "p", "trust", *arguments])


@pytest.fixture(autouse=True)
def pinned(home: Profile, monkeypatch: pytest.MonkeyPatch) -> TrustStore:
    monkeypatch.setattr(cli_trust, "words", lambda _: ("loyal", "draft"))
    write_config(home)
    store = TrustStore(home.root)
    store.pin(COORDINATOR.public, addresses=("c.example:8443",), label="clinics", now_s=1.0)
    return store


@pytest.fixture
def at_the_address(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    asked_by: list[bytes] = []

    async def identify(identity: Identity, address: str) -> ServerIdentified:
        asked_by.append(identity.id)
        hello = ServerHello(
            version_min=1,
            version_max=1,
            ed25519=NEW.ed25519_public,
            federation="clinics",
            incarnation=1,
        )
        return ServerIdentified(NEW.public, hello, pinned=False)

    monkeypatch.setattr(dial, "identify", identify)
    return asked_by


def test_what_is_trusted_is_shown(home: Profile, capsys: pytest.CaptureFixture[str]) -> None:
    assert trust() == 0
    said = capsys.readouterr().out
    for words in ("clinics", "c.example:8443", fingerprint(COORDINATOR.id), "loyal draft"):
        assert words in said
    assert trust("--json") == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert one["id"] == COORDINATOR.id.hex()


def test_E3_replace_trusts_what_was_typed_and_is_there(
    home: Profile, pinned: TrustStore, at_the_address: list[bytes]
) -> None:
    assert trust("replace", "--id", fingerprint(NEW.id).lower()) == 0
    assert configs.load(home.config).coordinator.id == NEW.id.hex()
    (entry,) = pinned.all()
    assert entry.id == NEW.id
    assert entry.former_ids == (COORDINATOR.id,)
    assert len(at_the_address) == 1


def test_E3_another_key_than_typed_changes_nothing(
    home: Profile,
    pinned: TrustStore,
    at_the_address: list[bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = fingerprint(Identity.from_seed(b"3" * 32).id)
    assert trust("replace", "--id", other) == 9
    assert fingerprint(NEW.id) in capsys.readouterr().err
    assert configs.load(home.config).coordinator.id == COORDINATOR.id.hex()
    assert [entry.id for entry in pinned.all()] == [COORDINATOR.id]


def test_what_is_no_fingerprint_is_65(home: Profile) -> None:
    assert trust("replace", "--id", "AAAA") == 65


def test_a_coordinator_that_is_not_there_is_said(
    home: Profile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def identify(identity: Identity, address: str) -> ServerIdentified:
        raise OSError("no answer")

    monkeypatch.setattr(dial, "identify", identify)
    assert trust("replace", "--id", fingerprint(NEW.id)) == 9
    assert "no answer" in capsys.readouterr().err
