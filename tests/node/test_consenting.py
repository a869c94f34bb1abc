"""Plan and consent: read once, kept once, and never for another plan."""

import msgspec
import pytest
from fake_federation import MANIFEST, PLAN, Clock, FakeTrainer, write_config

from fedtui.errors import RemoteProtocolError
from fedtui.rounds.plan import SelectionSection, plan_hash
from fedtui.status import NodeStatus, Refused
from fedtui.wire import codec
from fedtui.wire.messages import Terms
from node import keystore
from node.board import Board
from node.consenting import Consenting
from node.home import Home
from node.ledger import Ledger
from node.models import Models
from node.own_key import OwnKey
from node.paths import Profile
from node.updates import Updates

HASH = plan_hash(PLAN, MANIFEST)
DATA = codec.canonical(Terms(plan=codec.canonical(PLAN), manifest=MANIFEST))


@pytest.fixture
def parts(home: Profile) -> Home:
    return Home(
        profile=home,
        key=OwnKey.open(home.root),
        trust=keystore.TrustStore(home.root),
        board=Board(NodeStatus(), clock=Clock()),
        ledger=Ledger(home.ledger),
        models=Models(home.models),
        updates=Updates(home.work),
        trainer=FakeTrainer(),
        clock=Clock(),
    )


def test_from_nothing_to_agreed(parts: Home, home: Profile) -> None:
    consenting = Consenting(parts, write_config(home))
    assert not consenting.has_plan
    with pytest.raises(Refused):
        _ = consenting.agreement
    assert not consenting.expect(HASH)
    consenting.received(DATA, HASH)
    assert consenting.verdict().asking
    assert not home.terms.exists(), "what nobody agreed to is not kept"
    consenting.agree(HASH.hex())
    assert consenting.verdict().asking == ""
    again = Consenting(parts, write_config(home))
    assert parts.board.status.consented
    assert again.expect(HASH)
    assert again.verdict().asking == ""
    again.withdraw()
    assert again.verdict().asking


def test_terms_of_another_hash_are_not_taken(parts: Home, home: Profile) -> None:
    consenting = Consenting(parts, write_config(home))
    with pytest.raises(RemoteProtocolError):
        consenting.received(DATA, b"x" * 32)
    assert not consenting.has_plan


def test_a_plan_that_contradicts_itself_is_refused(parts: Home, home: Profile) -> None:
    plan = msgspec.structs.replace(PLAN, selection=SelectionSection(count=1, minimum=5))
    data = codec.canonical(Terms(plan=codec.canonical(plan), manifest=MANIFEST))
    consenting = Consenting(parts, write_config(home))
    consenting.received(data, plan_hash(plan, MANIFEST))
    assert "count" in consenting.verdict().refused
