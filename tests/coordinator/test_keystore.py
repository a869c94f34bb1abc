"""The coordinator's key file on a real disk (K1)."""

import os
import stat

import pytest

from coordinator import keystore
from fedtui.crypto.stretch import LEAST
from fedtui.errors import ExitCode, KeyFileError, KeyFileExistsError


@pytest.fixture
def home(tmp_path):
    return tmp_path / "state"


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def snapshot(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


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
    with pytest.raises(KeyFileError, match="fedtui-coordinator init"):
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
