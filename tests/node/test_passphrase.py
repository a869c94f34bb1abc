"""The passphrase comes from a file or from stdin, never from an argument."""

import io
from pathlib import Path

import pytest

from fedtui.errors import KeyFileError
from node import passphrase


def test_the_file_that_the_variable_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(passphrase.VARIABLE, raising=False)
    assert passphrase.from_file() is None
    (tmp_path / "f").write_text("correct horse\nsecond line\n")
    monkeypatch.setenv(passphrase.VARIABLE, str(tmp_path / "f"))
    assert passphrase.from_file() == "correct horse"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xff"])
def test_K1_a_file_that_gives_none_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "f").write_bytes(content)
    monkeypatch.setenv(passphrase.VARIABLE, str(tmp_path / "f"))
    with pytest.raises(KeyFileError) as refusal:
        passphrase.from_file()
    assert str(tmp_path / "f") in str(refusal.value)


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("hush\nmore"))
    assert passphrase.from_stdin() == "hush"
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert passphrase.from_stdin() is None
