"""Plan and consent: read once, kept once, and never for another plan."""

import msgspec
import pytest
from a_plan import COORDINATOR, MANIFEST, PLAN
from fake_federation import Clock, write_config
from fake_trainer import FakeTrainer

from fedtui import status
from fedtui.crypto.keys import fingerprint
from fedtui.errors import RemoteProtocolError
from fedtui.rounds.plan import Named, SelectionSection, plan_hash
from fedtui.status import Limits, NodeStatus, Refused
from fedtui.telling import form
from fedtui.wire import codec
from fedtui.wire.messages import Terms
from node import keystore
from node.board import Board
from node.config import CoordinatorTable
from node.consenting import Consenting, Verdict
from node.home import Home
from node.jobs import DataSeen
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


@pytest.mark.parametrize(
    ("stays", "said"), [(["tail"], "there are: weight, bias"), ([], "stays has 0 patterns")]
)
def test_a_strategy_that_does_not_fit_the_model_is_refused(
    parts: Home, home: Profile, stays: list[str], said: str
) -> None:
    named = Named(name="fedper", options={"stays": stays})
    plan = msgspec.structs.replace(PLAN, strategy=named)
    consenting = Consenting(parts, write_config(home))
    data = codec.canonical(Terms(plan=codec.canonical(plan), manifest=MANIFEST))
    consenting.received(data, plan_hash(plan, MANIFEST))
    assert said in consenting.verdict().refused


def test_a_plan_that_contradicts_itself_is_refused(parts: Home, home: Profile) -> None:
    plan = msgspec.structs.replace(PLAN, selection=SelectionSection(count=1, minimum=5))
    data = codec.canonical(Terms(plan=codec.canonical(plan), manifest=MANIFEST))
    consenting = Consenting(parts, write_config(home))
    consenting.received(data, plan_hash(plan, MANIFEST))
    assert "count" in consenting.verdict().refused


def agreed(parts: Home, home: Profile, **changes: object) -> Consenting:
    consenting = Consenting(parts, write_config(home, **changes))
    consenting.received(DATA, HASH)
    consenting.agree(HASH.hex())
    assert consenting.verdict() == Verdict()
    return consenting


SEEN = DataSeen(num_examples=3008, digest="ab" * 32)


def test_the_receipt_says_what_was_agreed_to_and_is_there_again(
    parts: Home, home: Profile
) -> None:
    consenting = Consenting(parts, write_config(home, limits=Limits(cpu_percent=50)))
    assert parts.board.status.receipt is None
    consenting.received(DATA, HASH)
    consenting.checked(SEEN)
    consenting.agree(HASH.hex())
    consenting.verdict()
    receipt = parts.board.status.receipt
    assert receipt is not None
    assert receipt.plan_hash == HASH.hex()
    assert receipt.form_hash == parts.board.status.plan.form_hash
    assert receipt.coordinator == fingerprint(COORDINATOR.id)
    assert (receipt.data, receipt.data_digest) == ("3,008 examples", SEEN.digest)
    assert "50%" in receipt.limits
    assert receipt.at == Clock.now
    parts.board.post(status.ReceiptKept(receipt=None))
    again = Consenting(parts, write_config(home))
    assert parts.board.status.receipt == receipt
    again.withdraw()
    assert parts.board.status.receipt is None


def test_a_form_with_another_word_asks_again_and_says_which(
    parts: Home, home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreed(parts, home)
    was = form.leaves

    def more(agreement, role):
        first, *rest = was(agreement, role)
        return (msgspec.structs.replace(first, reader="everybody"), *rest)

    monkeypatch.setattr(form, "leaves", more)
    consenting = Consenting(parts, write_config(home))
    assert not parts.board.status.consented
    consenting.received(DATA, HASH)
    assert "what leaves" in consenting.verdict().asking
    plan = parts.board.status.plan
    assert any("is 'everybody'" in one and "was" in one for one in plan.differs)
    (alarm,) = parts.board.status.alarms
    assert alarm.kind == "plan changed"
    consenting.agree(HASH.hex())
    assert consenting.verdict() == Verdict()


def test_another_key_asks_again_but_one_that_the_old_one_vouched_for_does_not(
    parts: Home, home: Profile
) -> None:
    agreed(parts, home)
    other = "cd" * 32
    table = CoordinatorTable(id=other, addresses=["c.example:8443"])
    consenting = Consenting(parts, write_config(home, coordinator=table))
    consenting.received(DATA, HASH)
    assert "another key" in consenting.verdict().asking
    now = fingerprint(bytes.fromhex(other))
    said = f"the coordinator's key: was {fingerprint(COORDINATOR.id)}, is {now}"
    assert said in parts.board.status.plan.differs
    parts.trust.current_id = lambda _: bytes.fromhex(other)
    assert consenting.verdict() == Verdict()


def test_other_data_asks_again_and_the_first_ones_read_are_those_agreed_to(
    parts: Home, home: Profile
) -> None:
    consenting = agreed(parts, home)
    assert parts.board.status.receipt.data_digest == ""
    assert consenting.read(DataSeen()) == "", "a task without data"
    assert consenting.read(SEEN) == ""
    assert parts.board.status.receipt.data_digest == SEEN.digest
    again = Consenting(parts, write_config(home))
    again.received(DATA, HASH)
    assert again.verdict() == Verdict()
    assert again.read(SEEN) == ""
    other = DataSeen(num_examples=2990, digest="cd" * 32)
    assert again.read(other)
    assert again.verdict().asking
    (difference,) = parts.board.status.plan.differs
    assert difference == (
        "your data: was 3,008 examples (abababababababab), is 2,990 examples (cdcdcdcdcdcdcdcd)"
    )
    assert parts.board.status.alarms[-1].kind == "data changed"
    again.agree(HASH.hex())
    assert again.verdict() == Verdict()
    assert parts.board.status.receipt.data == "2,990 examples"
    assert again.read(other) == ""
    assert again.read(SEEN)


def test_another_plan_says_what_was_and_what_is(parts: Home, home: Profile) -> None:
    agreed(parts, home)
    plan = msgspec.structs.replace(PLAN, seed=9)
    data = codec.canonical(Terms(plan=codec.canonical(plan), manifest=MANIFEST))
    consenting = Consenting(parts, write_config(home))
    consenting.received(data, plan_hash(plan, MANIFEST))
    assert "plan changed" in consenting.verdict().asking
    assert parts.board.status.plan.differs == ("seed: was 1, is 9",)
    assert parts.board.status.alarms[-1].kind == "plan changed"
    assert "handwritten digits" in parts.board.status.plan.needs.lower()


def test_only_what_the_plan_asks_for_is_declared_and_the_form_says_so(
    parts: Home, home: Profile
) -> None:
    by_site = SelectionSection(name="stratified", minimum=2, options={"by": "site"})
    plan = msgspec.structs.replace(PLAN, selection=by_site)
    for agreed_plan, declared in ((plan, {"site": "north"}), (PLAN, {})):
        config = write_config(home, declare={"site": "north", "ward": "7"})
        consenting = Consenting(parts, config)
        terms = codec.canonical(Terms(plan=codec.canonical(agreed_plan), manifest=MANIFEST))
        consenting.received(terms, plan_hash(agreed_plan, MANIFEST))
        assert consenting.declared == declared
        items = [one.item for one in form.leaves(consenting.agreement, "participant")]
        assert any("[declare] site" in item for item in items) is bool(declared)
        assert not any("ward" in item for item in items)
    silent = Consenting(parts, write_config(home, declare={}))
    silent.received(
        codec.canonical(Terms(plan=codec.canonical(plan), manifest=MANIFEST)),
        plan_hash(plan, MANIFEST),
    )
    assert silent.declared == {}


@pytest.mark.parametrize(
    "sections",
    [
        {"strategy": Named(name="nothing_of_ours")},
        {"strategy": Named(name="fedavg", options={"server_learning_rate": "fast"})},
        {"selection": SelectionSection(name="stratified", options={"by": 5})},
        {"selection": SelectionSection(name="stratified", options={"by": ["a"]})},
        {"selection": SelectionSection(name="deadline", options={"invite": "many"})},
    ],
)
def test_whatever_a_strangers_plan_says_is_refused_before_anything_is_asked(
    parts: Home, home: Profile, sections: dict[str, object]
) -> None:
    plan = msgspec.structs.replace(PLAN, **sections)
    consenting = Consenting(parts, write_config(home))
    data = codec.canonical(Terms(plan=codec.canonical(plan), manifest=MANIFEST))
    consenting.received(data, plan_hash(plan, MANIFEST))
    verdict = consenting.verdict()
    assert "contradicts itself" in verdict.refused
    assert not verdict.asking


def test_a_strategy_that_is_a_file_which_is_not_here_is_no_contradiction(
    parts: Home, home: Profile
) -> None:
    plan = msgspec.structs.replace(PLAN, strategy=Named(name="mine", sha256="ab" * 32))
    consenting = Consenting(parts, write_config(home))
    data = codec.canonical(Terms(plan=codec.canonical(plan), manifest=MANIFEST))
    consenting.received(data, plan_hash(plan, MANIFEST))
    refused = consenting.verdict().refused
    assert "contradicts" not in refused
    assert "fedtui strategy add mine.py" in refused


@pytest.mark.parametrize(
    ("role", "told"), [("participant", {"site": "berlin"}), ("evaluator", {}), ("observer", {})]
)
def test_participants_alone_declare_what_the_plan_asks_for(
    parts: Home, home: Profile, role: str, told: dict[str, str]
) -> None:
    chosen = SelectionSection(name="stratified", options={"by": "site"})
    plan = msgspec.structs.replace(PLAN, selection=chosen)
    config = write_config(home, role=role, declare={"site": "berlin", "rack": "7"})
    consenting = Consenting(parts, config)
    data = codec.canonical(Terms(plan=codec.canonical(plan), manifest=MANIFEST))
    consenting.received(data, plan_hash(plan, MANIFEST))
    assert consenting.declared == told
