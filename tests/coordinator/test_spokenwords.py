import sys
from pathlib import Path

import pytest

from coordinator import spokenwords
from fedtui.crypto.words import words

ID = bytes(range(32))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Count how often a process was started."""
    calls: list[object] = []
    run = spokenwords.subprocess.run

    def counted(*args: object, **kwargs: object) -> object:
        calls.append(args)
        return run(*args, **kwargs)  # type: ignore[call-overload]  # passed on as they came

    monkeypatch.setattr(spokenwords.subprocess, "run", counted)
    return calls


@pytest.mark.loopback
def test_words_are_made_once_and_belong_to_their_id(tmp_path: Path, made: list[object]) -> None:
    first = spokenwords.spoken(tmp_path, ID)
    assert first == words(ID)
    assert spokenwords.spoken(tmp_path, ID) == first
    assert len(made) == 1
    (tmp_path / spokenwords.FILE).write_text('{"id":"00","words":["forged"]}')
    assert spokenwords.spoken(tmp_path, ID) == first
    assert len(made) == 2


def test_without_words_there_is_still_a_coordinator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    assert spokenwords.spoken(tmp_path, ID) == ()
