from dataclasses import replace

import pytest

from fedtui.crypto.keys import Identity
from fedtui.wire.enrolment import Certificate, enrol, verify

COORDINATOR = Identity.from_seed(b"c" * 32)
NODE = Identity.from_seed(b"n" * 32)
OTHER = Identity.from_seed(b"o" * 32)
GOOD = Certificate(b"f" * 32, NODE.public, "participant", 3)


def test_what_was_signed_verifies() -> None:
    enrolled = enrol(COORDINATOR, GOOD)
    assert (enrolled.role, enrolled.not_before) == ("participant", 3)
    assert verify(COORDINATOR.public, GOOD, enrolled.signature)


@pytest.mark.parametrize(
    "changed",
    [
        replace(GOOD, federation_id=b"g" * 32),
        replace(GOOD, node=OTHER.public),
        replace(GOOD, role="evaluator"),
        replace(GOOD, not_before=4),
    ],
)
def test_any_changed_field_is_refused(changed: Certificate) -> None:
    assert not verify(COORDINATOR.public, changed, enrol(COORDINATOR, GOOD).signature)


def test_another_coordinator_or_another_purpose_is_refused() -> None:
    assert not verify(OTHER.public, GOOD, enrol(COORDINATOR, GOOD).signature)
    elsewhere = COORDINATOR.sign("fedtui1-rotation", GOOD.statement())
    assert not verify(COORDINATOR.public, GOOD, elsewhere)
    assert not verify(COORDINATOR.public, GOOD, b"")
