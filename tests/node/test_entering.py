"""Entering with a verified key: pinned, written down, and never in the place of another."""

import pytest

from fedtui.crypto.keys import Identity, fingerprint
from fedtui.errors import IdentityMismatchError
from fedtui.wire.rotation import rotate
from node import config as configs
from node.config import CoordinatorTable, NodeConfig
from node.entering import with_verified
from node.exits import Exit, Stop
from node.keystore import TrustStore
from node.paths import Profile
from node.probing import Probed

FIRST, SECOND = Identity.from_seed(b"1" * 32), Identity.from_seed(b"2" * 32)


def probed(who: Identity = FIRST, address: str = "10.0.0.1:8443") -> Probed:
    return Probed(address, who.public, "ward 7", (1, 1))


def test_a_verified_key_is_pinned_and_written_down(home: Profile) -> None:
    config = with_verified(home, NodeConfig(), probed(), now_s=7.0)
    assert config.coordinator == CoordinatorTable(id=FIRST.id.hex(), addresses=["10.0.0.1:8443"])
    (pinned,) = TrustStore(home.root).all()
    assert (pinned.identity, pinned.label, pinned.first_seen_s) == (FIRST.public, "ward 7", 7.0)
    configs.save(home.config, config)
    assert configs.load(home.config) == config


def test_the_same_coordinator_at_a_new_address_keeps_its_pin(home: Profile) -> None:
    config = with_verified(home, NodeConfig(), probed(), now_s=7.0)
    config = with_verified(home, config, probed(address="10.0.0.2:8443"), now_s=8.0)
    config = with_verified(home, config, probed(address="10.0.0.1:8443"), now_s=9.0)
    assert config.coordinator.addresses == ["10.0.0.1:8443", "10.0.0.2:8443"]
    (pinned,) = TrustStore(home.root).all()
    assert pinned.first_seen_s == 7.0


def test_E3_a_pinned_key_is_not_replaced_by_one_that_answers_at_its_address(
    home: Profile,
) -> None:
    config = with_verified(home, NodeConfig(), probed(), now_s=7.0)
    with pytest.raises(Stop) as found:
        with_verified(home, config, probed(SECOND), now_s=8.0)
    assert found.value.exit_code == Exit.IDENTITY_CHANGED
    assert fingerprint(FIRST.id) in found.value.text
    assert fingerprint(SECOND.id) in found.value.text
    assert f"trust replace --id {fingerprint(SECOND.id)}" in found.value.remedy
    assert [one.id for one in TrustStore(home.root).all()] == [FIRST.id]


def test_E3_another_federation_is_another_profile(home: Profile) -> None:
    config = with_verified(home, NodeConfig(), probed(), now_s=7.0)
    with pytest.raises(Stop) as found:
        with_verified(home, config, probed(SECOND, "10.9.9.9:1"), now_s=8.0)
    assert found.value.exit_code == Exit.REFUSED
    assert "--profile OTHER" in found.value.remedy
    assert [one.id for one in TrustStore(home.root).all()] == [FIRST.id]


def test_E3_a_key_that_handed_over_is_not_pinned_again(home: Profile) -> None:
    with_verified(home, NodeConfig(), probed(), now_s=7.0)
    TrustStore(home.root).apply_rotation(rotate(FIRST, SECOND, seq=1))
    with pytest.raises(IdentityMismatchError, match="no longer trusted"):
        with_verified(home, NodeConfig(), probed(), now_s=8.0)
