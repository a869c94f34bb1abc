"""The steps from older identities: only a sound chain to the key in use counts."""

from pathlib import Path

import msgspec
import pytest

from coordinator import lineage
from coordinator.layout import Layout
from coordinator.refusals import BadDataError
from fedtui.crypto.keys import Identity
from fedtui.wire.rotation import succeed

ONE, TWO, THREE, EVIL = (Identity.from_seed(bytes([n]) * 32) for n in range(1, 5))
STEPS = (succeed(ONE, TWO, seq=1), succeed(TWO, THREE, seq=2))


def test_the_first_identity_comes_from_nobody(tmp_path: Path) -> None:
    assert lineage.leading_to(Layout(tmp_path), ONE.id) == ()
    assert lineage.former(Layout(tmp_path), ONE.id) == ()


def test_the_steps_that_lead_here(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    lineage.write(layout, STEPS)
    assert lineage.leading_to(layout, THREE.id) == STEPS
    assert lineage.former(layout, THREE.id) == (ONE.public, TWO.public)
    assert lineage.leading_to(layout, TWO.id) == STEPS[:1], "the last one was never finished"
    assert lineage.leading_to(layout, ONE.id) == ()
    assert lineage.leading_to(layout, EVIL.id) == ()
    assert [path.name for path in tmp_path.iterdir()] == ["rotations.json"]


def test_a_damaged_file_is_said(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.rotations.write_text('{"steps": [[1]]}')
    with pytest.raises(BadDataError, match="damaged"):
        lineage.leading_to(layout, ONE.id)
    forged = msgspec.structs.replace(STEPS[0], old_signature=bytes(64))
    lineage.write(layout, (forged,))
    with pytest.raises(BadDataError, match="not signed by the trusted key"):
        lineage.leading_to(layout, TWO.id)


def test_any_of_the_keys_may_have_signed() -> None:
    signers = lineage.Signers((ONE.public, TWO.public))
    for identity, holds in ((ONE, True), (TWO, True), (EVIL, False)):
        assert signers.verify("p", b"m", identity.sign("p", b"m")) is holds
    assert not signers.verify("q", b"m", ONE.sign("p", b"m"))
