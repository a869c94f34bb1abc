"""Pins: what all profiles of this user trust, whatever state their files are in."""

from pathlib import Path

from fedtui.crypto.keys import Identity
from node.keystore import TrustStore
from node.pins import Pin, pins

LAB = Identity.from_seed(b"l" * 32).public
CLINIC = Identity.from_seed(b"c" * 32).public


def trust(profile: Path, who: object, *, now_s: float, label: str = "lab") -> None:
    profile.mkdir(mode=0o700, exist_ok=True)
    TrustStore(profile).pin(who, addresses=("10.0.0.1:1",), label=label, now_s=now_s)


def test_the_pins_of_all_profiles_each_key_once_since_it_was_first_pinned(tmp_path: Path) -> None:
    trust(tmp_path / "a", LAB, now_s=200.0)
    trust(tmp_path / "b", LAB, now_s=100.0)
    trust(tmp_path / "b", CLINIC, now_s=300.0, label="clinic")
    found = {pin.id: pin for pin in pins(tmp_path)}
    assert found == {
        LAB.id: Pin(LAB.id, "lab", 100.0, ("10.0.0.1:1",)),
        CLINIC.id: Pin(CLINIC.id, "clinic", 300.0, ("10.0.0.1:1",)),
    }


def test_a_store_that_cannot_be_trusted_pins_nothing(tmp_path: Path) -> None:
    trust(tmp_path / "good", LAB, now_s=1.0)
    for name in ("open", "damaged"):
        trust(tmp_path / name, CLINIC, now_s=1.0)
    (tmp_path / "open" / "trusted.json").chmod(0o644)
    (tmp_path / "damaged" / "trusted.json").write_text("{")
    assert [pin.id for pin in pins(tmp_path)] == [LAB.id]
    assert pins(tmp_path / "nowhere") == ()
