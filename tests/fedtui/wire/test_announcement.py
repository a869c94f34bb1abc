"""Announcements: what a coordinator says of itself, and what anybody may say instead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.crypto.keys import Identity, fingerprint
from fedtui.wire.announcement import (
    HINT_CHARACTERS,
    SERVICE,
    Announcement,
    hint_of,
    instance,
    label_of,
    properties,
    read,
)
from fedtui.wire.labels import MAX_CELLS, safe_label

IDENTITY = Identity.from_seed(b"c" * 32)
HOSTILE = [
    "clinic[@click=app.quit]now[/]",
    "\x1b]52;c;cm0gLXJm\x07clinic",
    "\x1b[2J\x1b[Hclinic",
    "clinic\u202egnihtyna",
    "c" + "\u0301" * 500,
    "x" * 10_000_000,
    "a\nb\rc\x00d",
]


def as_bytes(record: dict[str, str]) -> dict[bytes, bytes | None]:
    return {key.encode(): value.encode() for key, value in record.items()}


def test_what_is_announced_is_read() -> None:
    said = properties(IDENTITY.id, "mnist-clinics")
    assert said == {"v": "1", "id": hint_of(IDENTITY.id), "fed": "mnist-clinics"}
    assert read(as_bytes(said)) == Announcement(hint_of(IDENTITY.id), "mnist-clinics")
    assert len(hint_of(IDENTITY.id)) == HINT_CHARACTERS
    assert fingerprint(IDENTITY.id).replace("-", "").startswith(hint_of(IDENTITY.id))


def test_the_name_is_one_of_dns_and_tells_coordinators_apart() -> None:
    other = Identity.from_seed(b"d" * 32)
    name = instance(IDENTITY.id, "ward 7")
    assert name.endswith(f".{SERVICE}")
    assert label_of(name).startswith("ward 7 ")
    assert name != instance(other.id, "ward 7")


@given(st.text())
def test_no_federation_s_name_is_too_long_for_dns(federation: str) -> None:
    name = instance(IDENTITY.id, federation).removesuffix(f".{SERVICE}")
    assert len(name.encode()) <= 63
    assert all(
        len(f"{k}={v}".encode()) <= 255 for k, v in properties(b"i" * 32, federation).items()
    )


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_D3_hostile_names_are_one_short_plain_line(text: str) -> None:
    found = read({b"v": b"1", b"id": text.encode(), b"fed": text.encode()})
    assert found is not None
    assert found.hint == ""
    for shown in (found.federation, label_of(f"{text}.{SERVICE}")):
        assert shown == safe_label(text)
        assert len(shown) <= 3 * MAX_CELLS
        assert not any(ord(c) < 32 or ord(c) == 127 for c in shown)


@given(st.dictionaries(st.binary(), st.none() | st.binary()))
def test_D3_any_record_is_read_or_not(record: dict[bytes, bytes | None]) -> None:
    found = read({b"v": b"1", **record})
    if record.get(b"v", b"1") == b"1":
        assert found is not None
        assert found.federation == safe_label(found.federation)


@pytest.mark.parametrize("version", [None, b"", b"2", b"1 "])
def test_records_of_other_versions_are_none(version: bytes | None) -> None:
    assert read({b"v": version, b"fed": b"x"}) is None
    assert read({}) is None
