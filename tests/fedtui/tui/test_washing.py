"""A washed status holds no character that acts, and what was harmless stays the same object."""

import unicodedata

import a_status
import msgspec
import pytest

from fedtui.status import LogLine
from fedtui.tui import washing
from fedtui.tui.washing import Washer, washed


def acting(status: object) -> list[str]:
    return [text for text in texts(msgspec.to_builtins(status)) if any(map(acts, text))]


def texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for one in value.values() for text in texts(one)]
    if isinstance(value, list | tuple):
        return [text for one in value for text in texts(one)]
    return []


def acts(sign: str) -> bool:
    return unicodedata.category(sign)[0] == "C"


def test_no_text_of_a_hostile_status_can_act() -> None:
    hostile = a_status.hostile()
    assert acting(hostile)
    assert acting(Washer().wash(hostile)) == []


def test_a_harmless_status_stays_the_same_object() -> None:
    normal = a_status.normal()
    assert washed(normal) is normal
    assert Washer().wash(normal) is normal


def test_what_did_not_change_is_not_washed_again() -> None:
    washer, source = Washer(), a_status.hostile()
    first = washer.wash(source)
    again = washer.wash(msgspec.structs.replace(source, seq=401))
    assert again.seq == 401
    assert again.log is first.log


def test_accents_and_other_scripts_stay() -> None:
    assert washed("Zürich 東京") == "Zürich 東京"


def test_of_a_long_tuple_only_the_new_lines_are_washed(monkeypatch: pytest.MonkeyPatch) -> None:
    did: list[object] = []
    real = washing.washed
    monkeypatch.setattr(washing, "washed", lambda value: (did.append(value), real(value))[1])
    washer, source = Washer(), a_status.hostile()
    washer.wash(source)
    new = LogLine(at=1.0, level="info", text="\x1b]0;title\x07last")
    log = (*source.log[1:], new)
    did.clear()
    now = washer.wash(msgspec.structs.replace(source, log=log))
    assert [one for one in did if isinstance(one, LogLine)] == [new]
    assert now.log == tuple(real(line) for line in log)
