"""The node's key file (K1) and the coordinators it trusts (E3), on a real disk."""

import json
import os
import stat
from pathlib import Path

import pytest

from fedtui.crypto.keys import Identity, fingerprint
from fedtui.crypto.stretch import LEAST
from fedtui.errors import (
    CloseCode,
    ExitCode,
    IdentityMismatchError,
    KeyFileError,
    KeyFileExistsError,
)
from fedtui.wire.rotation import rotate
from node import keystore
from node.keystore import TrustStore

FIRST, SECOND, THIRD, EVIL = (Identity.from_seed(bytes((number,)) * 32) for number in range(4))


@pytest.fixture
def home(tmp_path):
    return tmp_path / "profile"


@pytest.fixture
def trust(home):
    return TrustStore(home)


def pin(trust, identity=FIRST, *, label="lab", addresses=("10.0.0.1:8443",), now_s=5.0):
    return trust.pin(identity.public, addresses=addresses, label=label, now_s=now_s)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def snapshot(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


# identity.key


def test_an_identity_is_made_once_and_found_again(home):
    made = keystore.load_or_create(home)
    assert keystore.load_or_create(home).id == keystore.load(home).id == made.id
    assert mode(home) == 0o700
    assert mode(home / "identity.key") == 0o600
    assert [path.name for path in home.iterdir()] == ["identity.key"]
    assert not keystore.is_locked(home)


def test_two_identities_differ(tmp_path):
    assert keystore.create(tmp_path / "a").id != keystore.create(tmp_path / "b").id


def test_the_umask_does_not_matter(home):
    before = os.umask(0)
    try:
        keystore.create(home)
    finally:
        os.umask(before)
    assert mode(home) == 0o700
    assert mode(home / "identity.key") == 0o600


def test_K1_a_passphrase_locks_the_key(home):
    made = keystore.create(home, "correct horse", cost=LEAST)
    assert keystore.is_locked(home)
    assert keystore.load(home, "correct horse").id == made.id
    before = snapshot(home)
    for wrong in (None, "wrong"):
        with pytest.raises(KeyFileError, match="passphrase"):
            keystore.load(home, wrong)
        with pytest.raises(KeyFileError, match="passphrase"):
            keystore.load_or_create(home, wrong, cost=LEAST)
    assert snapshot(home) == before


@pytest.mark.parametrize("exposed", [0o644, 0o640, 0o604, 0o660, 0o666])
def test_K1_a_key_that_others_can_read_is_refused(home, exposed):
    keystore.create(home)
    (home / "identity.key").chmod(exposed)
    before = snapshot(home)
    for call in (keystore.load, keystore.load_or_create, keystore.is_locked):
        with pytest.raises(KeyFileError, match="chmod 600") as caught:
            call(home)
        assert str(home / "identity.key") in str(caught.value)
    assert snapshot(home) == before


@pytest.mark.parametrize("exposed", [0o755, 0o710, 0o701])
def test_K1_a_directory_that_others_can_use_is_refused(home, exposed):
    home.mkdir()
    home.chmod(exposed)
    with pytest.raises(KeyFileError, match="chmod 700"):
        keystore.create(home)
    assert list(home.iterdir()) == []


def test_K1_a_key_in_an_opened_directory_is_refused(home):
    keystore.create(home)
    home.chmod(0o750)
    with pytest.raises(KeyFileError, match="chmod 700"):
        keystore.load(home)


def test_K1_a_key_of_another_owner_is_refused(home, monkeypatch):
    keystore.create(home)
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    with pytest.raises(KeyFileError, match=f"belongs to user {mine}"):
        keystore.load(home)


@pytest.mark.parametrize("length", [0, 5, 12, 30, 52])
def test_K1_a_cut_key_is_refused_and_kept(home, length):
    keystore.create(home)
    path = home / "identity.key"
    path.write_bytes(path.read_bytes()[:length])
    before = snapshot(home)
    for call in (keystore.load, keystore.load_or_create):
        with pytest.raises(KeyFileError, match="cut off"):
            call(home)
    assert snapshot(home) == before


def test_K1_a_key_that_is_there_is_never_overwritten(home):
    made = keystore.create(home)
    with pytest.raises(KeyFileExistsError, match="left as it is") as caught:
        keystore.create(home)
    assert caught.value.exit_code is ExitCode.CANNOT_CREATE
    assert keystore.load(home).id == made.id
    assert [path.name for path in home.iterdir()] == ["identity.key"]


def test_K1_a_race_for_the_name_has_one_winner(home, monkeypatch):
    """Both look, both see no key, both write: linking decides, and both go on with one key."""
    winner = []
    lexists = os.path.lexists

    def nothing_yet(path):
        if not winner and not lexists(path):
            winner.append(None)
            winner[0] = keystore.create(home)
        return False

    monkeypatch.setattr(os.path, "lexists", nothing_yet)
    assert keystore.load_or_create(home).id == winner[0].id
    assert [path.name for path in home.iterdir()] == ["identity.key"]


def test_K1_a_link_in_place_of_the_key_is_refused(home, tmp_path):
    keystore.create(home)
    elsewhere = tmp_path / "elsewhere.key"
    (home / "identity.key").rename(elsewhere)
    (home / "identity.key").symlink_to(elsewhere)
    with pytest.raises(KeyFileError, match="cannot be read"):
        keystore.load(home)
    (home / "identity.key").unlink()
    (home / "identity.key").symlink_to(tmp_path / "nowhere")
    with pytest.raises(KeyFileExistsError):
        keystore.create(home)


def test_K1_a_pipe_in_place_of_the_key_is_refused_without_waiting(home):
    home.mkdir(mode=0o700)
    os.mkfifo(home / "identity.key", 0o600)
    with pytest.raises(KeyFileError, match="not an ordinary file"):
        keystore.load(home)


def test_a_missing_key_says_how_to_make_one(home):
    with pytest.raises(KeyFileError, match="fedtui join"):
        keystore.load(home)


def test_a_file_in_place_of_the_directory_is_said(home):
    home.write_text("x")
    with pytest.raises(KeyFileError, match="is a file, not a directory"):
        keystore.create(home)


@pytest.mark.parametrize("step", ["fsync", "link"])
def test_a_write_that_fails_leaves_nothing_behind(home, monkeypatch, step):
    def fail(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(KeyFileError, match="cannot be written: No space left"):
        keystore.create(home)
    assert list(home.iterdir()) == []


def test_the_key_is_synced_before_it_has_its_name(home, monkeypatch):
    steps = []
    for name in ("fsync", "link"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *a, name=name, real=real: (steps.append(name), real(*a))[1]
        )
    keystore.create(home)
    assert steps == ["fsync", "link", "fsync"]


# trusted.json


def test_a_pinned_coordinator_is_found_again(home, trust):
    assert trust.all() == ()
    assert trust.get(FIRST.id) is None
    entry = pin(trust)
    assert TrustStore(home).get(FIRST.id) == entry == trust.check(FIRST.id, FIRST.public)
    assert entry.identity == FIRST.public
    assert (entry.addresses, entry.label, entry.first_seen_s) == (("10.0.0.1:8443",), "lab", 5.0)
    assert mode(home / "trusted.json") == 0o600
    assert [path.name for path in home.iterdir()] == ["trusted.json"]


def test_pinning_again_renews_the_addresses_only(trust):
    pin(trust)
    entry = pin(trust, addresses=("[::1]:1",), label="new", now_s=9.0)
    assert (entry.addresses, entry.label, entry.first_seen_s) == (("[::1]:1",), "new", 5.0)
    assert trust.all() == (entry,)


def test_labels_are_made_safe_before_they_are_kept(home, trust):
    assert pin(trust, label="\x1b[31mlab\n").label == "[31mlab"


def test_E3_another_key_is_a_hard_stop_with_both_fingerprints(home, trust):
    pin(trust)
    before = snapshot(home)
    with pytest.raises(IdentityMismatchError) as caught:
        trust.check(FIRST.id, EVIL.public)
    assert caught.value.code is CloseCode.IDENTITY_MISMATCH
    assert fingerprint(FIRST.id) in str(caught.value)
    assert fingerprint(EVIL.id) in str(caught.value)
    assert snapshot(home) == before
    with pytest.raises(IdentityMismatchError, match="join it first"):
        trust.check(EVIL.id, EVIL.public)


def test_E3_a_signed_rotation_is_followed_and_kept(trust):
    pin(trust)
    pin(trust, SECOND, label="another federation")
    other = trust.get(SECOND.id)
    first, second = rotate(FIRST, THIRD, seq=1), rotate(THIRD, EVIL, seq=2)
    entry = trust.apply_rotation(first)
    assert trust.check(FIRST.id, THIRD.public) == trust.get(THIRD.id) == entry
    entry = trust.apply_rotation(second)
    assert entry.former_ids == (FIRST.id, THIRD.id)
    assert entry.rotations == (first, second)
    assert entry.label == "lab"
    with pytest.raises(IdentityMismatchError):
        trust.check(FIRST.id, FIRST.public)
    assert trust.get(SECOND.id) == other


@pytest.mark.parametrize(
    "statement",
    [
        rotate(FIRST, SECOND, seq=1),
        rotate(THIRD, EVIL, seq=1),
        rotate(SECOND, EVIL, seq=1),
    ],
    ids=["played again", "of a stranger", "number used before"],
)
def test_E3_no_other_rotation_is_followed(home, trust, statement):
    pin(trust)
    trust.apply_rotation(rotate(FIRST, SECOND, seq=1))
    before = snapshot(home)
    with pytest.raises(IdentityMismatchError):
        trust.apply_rotation(statement)
    assert snapshot(home) == before


def test_E3_only_the_operator_replaces_a_key(trust):
    pin(trust)
    trust.remember_refused(FIRST.id, EVIL.public)
    assert trust.get(FIRST.id).refused == (EVIL.x25519_public, EVIL.ed25519_public)
    assert trust.get(FIRST.id).identity == FIRST.public
    entry = trust.replace(FIRST.id, EVIL.public)
    assert entry.identity == EVIL.public
    assert entry.former_ids == (FIRST.id,)
    assert entry.refused is None
    assert trust.all() == (entry,)
    assert trust.replace(FIRST.id, EVIL.public) == entry


def test_E3_a_coordinator_that_handed_over_is_not_pinned_again(trust):
    pin(trust)
    trust.apply_rotation(rotate(FIRST, SECOND, seq=1))
    with pytest.raises(IdentityMismatchError, match="handed over"):
        pin(trust)


def test_K1_a_trust_store_that_others_can_change_is_refused(home, trust):
    pin(trust)
    (home / "trusted.json").chmod(0o622)
    for call in (trust.all, lambda: pin(trust, SECOND), lambda: trust.get(FIRST.id)):
        with pytest.raises(KeyFileError, match="chmod 600"):
            call()


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_text(""),
        lambda path: path.write_bytes(path.read_bytes()[:-9]),
        lambda path: path.write_text('[{"id": "AAAA"}]'),
        lambda path: path.write_bytes(b"\xff\xfe"),
        lambda path: path.write_text("[" * 100_000),
        lambda path: path.write_text(
            json.dumps([{**json.loads(path.read_text())[0], "id": "A" * 43 + "="}])
        ),
    ],
    ids=["empty", "cut", "short id", "bad text", "deep", "keys of another id"],
)
def test_a_damaged_trust_store_is_refused_and_kept(home, trust, damage):
    pin(trust)
    damage(home / "trusted.json")
    before = snapshot(home)
    for call in (trust.all, lambda: pin(trust, SECOND)):
        with pytest.raises(KeyFileError, match="is damaged"):
            call()
    assert snapshot(home) == before


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_trust_store_is_never_half_written(home, trust, monkeypatch, step):
    pin(trust)
    before = snapshot(home)

    def fail(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), fail)
    with pytest.raises(KeyFileError, match="No space left"):
        pin(trust, SECOND)
    assert snapshot(home) == before


def test_a_coordinator_that_is_forgotten_is_a_stranger_again(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    trust = TrustStore(tmp_path)
    first, second = (Identity.from_seed(bytes([n]) * 32).public for n in (1, 2))
    for one in (first, second):
        trust.pin(one, addresses=("c:1",), label="c", now_s=1.0)
    trust.forget(first.id)
    trust.forget(first.id)
    assert trust.get(first.id) is None
    assert TrustStore(tmp_path).get(second.id) is not None
