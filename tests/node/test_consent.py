"""The receipt of a consent survives, and a damaged one is no consent."""

import pytest

from fedtui.status import Leaves, Refused
from node import consent
from node.consent import Consent
from node.paths import Profile

GIVEN = Consent(
    plan_hash="aa" * 32,
    coordinator_id="cc" * 32,
    at=5.0,
    visible_updates=True,
    leaves=(Leaves(item="update", form="visible", reader="coordinator", when="each round"),),
    data_path="/data",
)


def test_it_is_kept_and_withdrawn(home: Profile) -> None:
    assert consent.load(home.consent) is None
    consent.save(home.consent, GIVEN)
    assert consent.load(home.consent) == GIVEN
    assert home.consent.stat().st_mode & 0o777 == 0o600
    consent.withdraw(home.consent)
    consent.withdraw(home.consent)
    assert consent.load(home.consent) is None


@pytest.mark.parametrize("content", [b"", b"{}", b'{"plan_hash": 3}', b"\xff"])
def test_a_damaged_receipt_is_said_and_not_believed(home: Profile, content: bytes) -> None:
    home.consent.write_bytes(content)
    with pytest.raises(Refused) as refusal:
        consent.load(home.consent)
    assert str(home.consent) in refusal.value.text
    assert refusal.value.remedy
