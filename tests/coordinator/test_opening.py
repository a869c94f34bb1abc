from functools import partial
from pathlib import Path

import msgspec
import pytest
from a_coordinator import make

from coordinator import keystore, opening
from coordinator.layout import Layout
from coordinator.opening import load_identity, open_coordinator, open_store, read_settings
from coordinator.refusals import BadDataError, LockedError, MissingInputError
from fedtui.crypto.keys import Identity, fingerprint
from fedtui.crypto.stretch import Cost
from fedtui.errors import KeyFileError
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.tomlfile import ConfigError


def test_an_empty_directory_says_how_to_make_a_coordinator(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="fedtui-coordinator init"):
        read_settings(Layout(tmp_path))


def test_a_damaged_manifest(tmp_path: Path) -> None:
    layout = make(tmp_path / "f")
    layout.manifest.write_text("{}")
    with pytest.raises(BadDataError, match="restore it from a backup"):
        read_settings(layout)


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    layout = make(tmp_path / "f")
    store = open_store(layout, load_identity(layout))
    with pytest.raises(LockedError, match="in use"):
        open_store(layout, load_identity(layout))
    store.close()


def test_a_model_of_another_manifest(tmp_path: Path) -> None:
    layout = make(tmp_path / "f")
    other = Manifest((TensorSpec("other", (510,)),))
    layout.manifest.write_bytes(msgspec.json.encode(other))
    with pytest.raises(Exception, match="another model than the plan's manifest"):
        open_coordinator(read_settings(layout), load_identity(layout))


def test_the_lock_is_free_again_after_a_refused_start(tmp_path: Path) -> None:
    layout = make(tmp_path / "f")
    model = layout.checkpoints / "model-000000.safetensors"
    kept = model.read_bytes()
    model.unlink()
    with pytest.raises(BadDataError, match="is missing: restore a backup"):
        open_coordinator(read_settings(layout), load_identity(layout))
    model.write_bytes(kept)
    opened = open_coordinator(read_settings(layout), load_identity(layout))
    assert [r.round for r in opened.snapshot.rounds] == [0]
    opened.store.close()


def test_K1_a_locked_key_takes_its_passphrase_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("correct horse\nnot this line\n")
    monkeypatch.setenv(opening.PASSPHRASE_VARIABLE, str(secret))
    quick = partial(keystore.create, cost=Cost(1, 8192))
    monkeypatch.setattr(keystore, "create", quick)
    layout = make(tmp_path / "f")
    identity = load_identity(layout)
    secret.write_text("wrong\n")
    with pytest.raises(KeyFileError):
        load_identity(layout)
    monkeypatch.delenv(opening.PASSPHRASE_VARIABLE)
    with pytest.raises(KeyFileError):
        load_identity(layout)
    secret.write_text("correct horse\n")
    monkeypatch.setenv(opening.PASSPHRASE_VARIABLE, str(secret))
    assert load_identity(layout).id == identity.id
    secret.write_text("")
    with pytest.raises(BadDataError, match="no passphrase"):
        load_identity(layout)
    secret.unlink()
    with pytest.raises(MissingInputError):
        load_identity(layout)


def test_the_allowlist_names_its_wrong_line(tmp_path: Path) -> None:
    layout = make(tmp_path / "f")
    text = layout.config.read_text().replace('# allowlist = ""', 'allowlist = "friends.txt"')
    layout.config.write_text(text)
    friend = Identity.from_seed(b"f" * 32).id
    path = layout.root / "friends.txt"
    path.write_text(f"# who may come\n\n{fingerprint(friend)}  # f\n")
    assert opening.read_allowlist(read_settings(layout)) == {friend[:20]}
    path.write_text("# who may come\nnonsense\n")
    with pytest.raises(ConfigError, match=r"friends.txt, line 2: this is not a fingerprint"):
        opening.read_allowlist(read_settings(layout))
    path.unlink()
    with pytest.raises(MissingInputError):
        opening.read_allowlist(read_settings(layout))
