"""The format of identity.key and the refusals around it (K1, the half without a disk)."""

import stat

import pytest

from fedtui.crypto import keyfile
from fedtui.crypto.stretch import LEAST, MODERATE
from fedtui.errors import ExitCode, KeyFileError, LocalProtocolError

SEED = bytes(range(32))
OPEN = keyfile.pack(SEED)
LOCKED = keyfile.lock(SEED, "correct horse", entropy=bytes(range(40)), cost=LEAST)


def refused(call, *arguments, **options):
    with pytest.raises(KeyFileError) as caught:
        call(*arguments, **options)
    assert caught.value.exit_code is ExitCode.NO_PERMISSION
    assert str(caught.value).startswith("/k")
    return str(caught.value)


def test_the_layout_is_the_documented_one():
    assert OPEN[:13] == b"fedtui key\n\x01\x00"
    assert OPEN[13:45] == SEED
    assert len(OPEN) == 53
    assert LOCKED[:13] == b"fedtui key\n\x01\x01"
    assert LOCKED[13:37] == bytes(range(16)) + b"\x01\0\0\0" + b"\x08\0\0\0"
    assert LOCKED[37:61] == bytes(range(16, 40))
    assert len(LOCKED) == 117
    assert max(len(OPEN), len(LOCKED)) <= keyfile.MAX_BYTES


def test_seeds_come_back():
    assert keyfile.unpack(OPEN, name="/k") == SEED
    assert keyfile.unpack(OPEN, "not needed", name="/k") == SEED
    assert keyfile.unpack(LOCKED, "correct horse", name="/k") == SEED
    assert not keyfile.is_locked(OPEN, name="/k")
    assert keyfile.is_locked(LOCKED, name="/k")
    assert SEED not in LOCKED


def test_a_passphrase_is_the_same_on_every_keyboard():
    locked = keyfile.lock(SEED, "caf\u00e9", entropy=bytes(40), cost=LEAST)
    assert keyfile.unpack(locked, "cafe\u0301", name="/k") == SEED


def test_K1_a_locked_key_needs_its_passphrase():
    assert "FEDTUI_PASSPHRASE_FILE" in refused(keyfile.unpack, LOCKED, name="/k")
    assert "wrong passphrase" in refused(keyfile.unpack, LOCKED, "Correct horse", name="/k")
    assert "wrong passphrase" in refused(keyfile.unpack, LOCKED, "", name="/k")


@pytest.mark.parametrize("data", [OPEN, LOCKED], ids=["open", "locked"])
def test_K1_a_cut_or_damaged_file_never_becomes_another_identity(data):
    for length in range(len(data)):
        assert "cut off" in refused(keyfile.unpack, data[:length], "correct horse", name="/k")
    assert "cut off or damaged" in refused(keyfile.unpack, data + b"\0", name="/k")
    for position in range(len(data)):
        for bit in (1, 128):
            hurt = bytearray(data)
            hurt[position] ^= bit
            refused(keyfile.unpack, bytes(hurt), "correct horse", name="/k")
            refused(keyfile.is_locked, bytes(hurt), name="/k")


def test_K1_other_files_are_told_apart():
    assert "no fedtui key" in refused(keyfile.unpack, b"-----BEGIN KEY-----", name="/k")
    newer = OPEN[:11] + b"\x02" + OPEN[12:]
    assert "format 2" in refused(keyfile.unpack, newer, name="/k")


def test_misuse_is_our_own_bug():
    with pytest.raises(LocalProtocolError):
        keyfile.pack(bytes(31))
    with pytest.raises(LocalProtocolError):
        keyfile.lock(SEED, "x", entropy=bytes(39), cost=LEAST)


def test_the_usual_lock_is_moderate():
    assert keyfile.lock.__kwdefaults__ == {"cost": MODERATE}


@pytest.mark.parametrize(
    "kind", [stat.S_IFREG | 0o600, stat.S_IFREG | 0o400, stat.S_IFDIR | 0o700]
)
def test_private_files_and_directories_pass(kind):
    keyfile.check_private("/k", mode=kind, owner=7, uid=7)


@pytest.mark.parametrize("bit", [0o040, 0o020, 0o010, 0o004, 0o002, 0o001])
def test_K1_whatever_others_can_use_is_refused_with_the_remedy(bit):
    file = refused(keyfile.check_private, "/k", mode=stat.S_IFREG | 0o600 | bit, owner=7, uid=7)
    assert "chmod 600 '/k'" in file
    directory = refused(
        keyfile.check_private, "/k", mode=stat.S_IFDIR | 0o700 | bit, owner=7, uid=7
    )
    assert "chmod 700 '/k'" in directory


def test_K1_another_owner_is_refused_with_the_remedy():
    said = refused(keyfile.check_private, "/k", mode=stat.S_IFREG | 0o600, owner=0, uid=7)
    assert "chown 7 '/k'" in said
    assert "belongs to user 0" in said


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR])
def test_K1_what_is_no_file_is_refused(kind):
    assert "not an ordinary file" in refused(
        keyfile.check_private, "/k", mode=kind | 0o600, owner=7, uid=7
    )
