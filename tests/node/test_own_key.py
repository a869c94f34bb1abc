"""The node's own key: a rotation that a crash may cut anywhere, and that always goes forward."""

import stat
from pathlib import Path

import pytest

from fedtui.crypto.keys import Identity
from fedtui.crypto.stretch import Cost
from fedtui.errors import KeyFileError, LocalProtocolError
from fedtui.wire.codec import decode
from fedtui.wire.rotation import Rotation, verify
from node import keystore, own_key
from node.keystore import NEXT_FILE
from node.own_key import OwnKey, former
from node.paths import Profile

CHEAP = Cost(1, 8)


def test_a_rotation_from_beginning_to_end(home: Profile) -> None:
    key = OwnKey.open(home.root)
    first = key.identity
    key.draw()
    assert key.successor is not None
    second = key.successor
    found = (home.root / "identity.key.next").stat()
    assert stat.S_IMODE(found.st_mode) == 0o600
    statement = decode(key.statement(), Rotation)
    assert verify(statement, first.public, last_seq=0) == second.public
    assert key.identity is first, "nothing changed yet"
    assert keystore.load(home.root).id == first.id
    key.adopt(5.0)
    assert key.identity is second
    assert key.successor is None
    assert keystore.load(home.root).id == second.id
    assert not (home.root / "identity.key.next").exists()
    (old,) = former(home.root)
    assert (old.id, old.seq, old.until_s) == (first.id, 1, 5.0)


def test_the_next_rotation_has_the_next_number(home: Profile) -> None:
    key = OwnKey.open(home.root)
    for number in (1, 2, 3):
        key.draw()
        assert decode(key.statement(), Rotation).handover.seq == number
        key.adopt(float(number))
    assert [one.seq for one in former(home.root)] == [1, 2, 3]
    assert len({one.id for one in former(home.root)}) == 3


def test_without_a_rotation_there_is_nothing_to_say_or_adopt(home: Profile) -> None:
    key = OwnKey.open(home.root)
    with pytest.raises(LocalProtocolError):
        key.statement()
    with pytest.raises(LocalProtocolError):
        key.adopt(1.0)


def test_a_crash_after_drawing_leaves_both_keys_and_the_same_statement(home: Profile) -> None:
    key = OwnKey.open(home.root)
    key.draw()
    again = OwnKey.open(home.root)
    assert again.identity.id == key.identity.id
    assert again.statement() == key.statement()
    again.draw()
    assert again.statement() == key.statement(), "what may have been said is not drawn anew"


@pytest.mark.parametrize("where", ["write_atomically", "replace", "sync_folder"])
def test_a_crash_while_adopting_is_made_good(
    home: Profile, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    key = OwnKey.open(home.root)
    key.draw()
    first, statement = key.identity, key.statement()
    assert key.successor is not None
    second = key.successor

    def crash(*_: object, **__: object) -> None:
        raise OSError(5, "cut")

    with monkeypatch.context() as patch:
        if where == "replace":
            patch.setattr(Path, "replace", _crash_on_key(Path.replace))
        else:
            patch.setattr(own_key, where, crash)
        with pytest.raises(OSError, match="cut"):
            key.adopt(1.0)
    again = OwnKey.open(home.root)
    if where == "sync_folder":  # the new name was there already
        assert again.identity.id == second.id
    else:
        assert again.identity.id == first.id
        assert again.statement() == statement, "the number does not move on"
        again.adopt(2.0)
    assert again.identity.id == second.id
    assert [one.id for one in former(home.root)] == [first.id]


def _crash_on_key(real: object) -> object:
    def replace(path: Path, target: Path) -> Path:
        if path.name == "identity.key.next":
            raise OSError(5, "cut")
        return real(path, target)

    return replace


def test_a_locked_identity_has_a_locked_successor(home: Profile) -> None:
    keystore.create(home.root, "open sesame", cost=CHEAP)
    key = OwnKey.open(home.root, "open sesame")
    key.draw(cost=CHEAP)
    with pytest.raises(KeyFileError, match="passphrase"):
        keystore.load(home.root, None, name=keystore.NEXT_FILE)
    key.adopt(1.0)
    assert OwnKey.open(home.root, "open sesame").identity.id == key.identity.id


def test_a_passphrase_that_is_not_needed_locks_nothing(home: Profile) -> None:
    keystore.create(home.root)
    key = OwnKey.open(home.root, "open sesame")
    key.draw(cost=CHEAP)
    key.adopt(1.0)
    assert OwnKey.open(home.root).identity.id == key.identity.id


def test_nothing_secret_is_in_the_history(home: Profile) -> None:
    key = OwnKey.open(home.root)
    seed = (home.root / "identity.key").read_bytes()[13:45]
    assert Identity.from_seed(seed).id == key.identity.id
    key.draw()
    key.adopt(1.0)
    for path in home.root.rglob("*"):
        if path.is_file():
            assert seed not in path.read_bytes(), "the old key is gone"
    assert stat.S_IMODE((home.root / "former.json").stat().st_mode) == 0o600


def test_a_damaged_history_is_said(home: Profile) -> None:
    (home.root / "former.json").write_text("[{")
    with pytest.raises(KeyFileError, match=r"former\.json is damaged"):
        former(home.root)


def test_a_key_that_cannot_be_written_changes_nothing(home: Profile) -> None:
    key = OwnKey.open(home.root)
    (home.root / NEXT_FILE).mkdir()  # stops root, too
    with pytest.raises(KeyFileError):
        key.draw()
    assert key.successor is None
