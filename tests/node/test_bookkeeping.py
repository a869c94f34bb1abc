"""What cannot be written down is trouble with a remedy; what was noted is noted once."""

from dataclasses import replace

import msgspec
import pytest
from a_plan import MANIFEST, MODEL, PLAN, model_ref
from fake_federation import Clock
from machine_on_a_desk import offer

from fedtui.learning.training import TrainingSpec
from fedtui.rounds import machine, masking_steps
from fedtui.rounds.plan import VISIBLE, DpSection, PrivacySection, plan_hash
from fedtui.status import Limits, NodeStatus
from fedtui.telling.agreement import Agreement
from fedtui.wire.messages import AuditHead, ModelRef, Offer, Result
from node import lines
from node.board import Board
from node.bookkeeping import MEND_DISK, Bookkeeping, Books
from node.config import NodeConfig
from node.ledger import Ledger
from node.models import Models
from node.paths import Profile

NOTE = machine.Note(1, 1, "update", VISIBLE, 1000, b"d" * 32)
RESULT = Result(
    incarnation=1,
    round=1,
    attempt=1,
    model=model_ref(number=1),
    num_updates=2,
    counted=True,
    sums={},
    audit_head=AuditHead(sequence=3, hash=b"h" * 32, signature=b"s" * 64),
)


class Sent:
    num = 0

    def __call__(self, digest: bytes) -> int:
        return self.num


def open_books(home: Profile) -> tuple[Bookkeeping, Books]:
    books = Books(
        board=Board(NodeStatus(), clock=Clock()),
        ledger=Ledger(home.ledger),
        journal=None,
        models=Models(home.models),
        agreement=Agreement(PLAN, MANIFEST, plan_hash(PLAN, MANIFEST)),
        receiver="AAAA",
        num_sent=Sent(),
        clock=Clock(),
    )
    return Bookkeeping(books), books


def full(descriptor: int) -> None:
    raise OSError(28, "No space left on device")


def test_an_upload_that_goes_on_is_one_entry_and_one_sent_again_another(home: Profile) -> None:
    kept, books = open_books(home)
    for num_sent, entries in ((0, 1), (500, 1), (1000, 1), (1500, 2), (2000, 2), (2001, 3)):
        books.num_sent.num = num_sent
        assert kept.note(NOTE, None, NodeConfig()) is None
        assert len(books.ledger.tail(10)) == entries
    assert books.ledger.num_bytes_on(Clock.now) == 3000
    assert len(books.board.status.ledger) == 3


@pytest.mark.parametrize(
    ("mechanism", "said"),
    [
        ("central", "update, clipped to 2; the coordinator adds the noise"),
        ("local", "update, clipped to 2, with noise of 3 added to each value"),
        ("distributed", "update, clipped to 2, with noise of 1.5 added to each value"),
    ],
)
def test_N4_the_ledger_says_how_an_update_was_hidden(
    home: Profile, mechanism: str, said: str
) -> None:
    _, books = open_books(home)
    plan = msgspec.structs.replace(
        PLAN,
        privacy=PrivacySection(minimum=5, colluders=1),
        training=TrainingSpec(update_clip=2.0),
        dp=DpSection(mechanism=mechanism, noise=1.5, delta=0.01),
    )
    books = replace(books, agreement=replace(books.agreement, plan=plan))
    offer = Offer(
        incarnation=1,
        round=1,
        attempt=1,
        plan_hash=bytes(32),
        manifest_digest=b"m" * 32,
        model=model_ref(),
        cohort_size=8,
        accept_s=1.0,
        deadline_s=2.0,
    )
    assert Bookkeeping(books).note(NOTE, offer, NodeConfig()) is None
    (entry,) = books.ledger.tail(10)
    assert entry.what == said


def test_what_passes_the_days_limit_is_not_noted(home: Profile) -> None:
    kept, books = open_books(home)
    config = NodeConfig(limits=Limits(max_upload_mb_per_day=0.0015))
    assert kept.note(NOTE, None, config) is None
    trouble = kept.note(replace(NOTE, round=2), None, config)
    assert trouble is not None
    assert not trouble.disk
    assert "a day" in trouble.reason
    assert len(books.ledger.tail(10)) == 1


def test_a_full_disk_is_trouble_and_an_alarm(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, books = open_books(home)
    monkeypatch.setattr(lines, "_sync", full)
    trouble = kept.note(NOTE, None, NodeConfig())
    assert trouble is not None
    assert (trouble.disk, trouble.remedy) == (True, MEND_DISK)
    kept.keep_head(RESULT)
    assert [one.kind for one in books.board.status.alarms] == ["disk"]


def test_a_result_is_kept_if_it_is_of_this_model(home: Profile) -> None:
    kept, books = open_books(home)
    assert kept.certify(RESULT)
    assert books.models.num_counted == 1
    kept.keep_head(RESULT)
    kept.answer_for(RESULT)
    kept.allow()
    other = ModelRef(round=2, digest=b"m" * 32, num_bytes=len(MODEL) + 4)
    assert not kept.certify(Result(**{f: getattr(RESULT, f) for f in FIELDS} | {"model": other}))
    assert books.models.num_counted == 1
    assert "the model agreed to has" in books.board.status.log[-1].text


FIELDS = RESULT.__struct_fields__


def test_no_masked_step_without_a_journal(home: Profile) -> None:
    kept, _ = open_books(home)
    effect = masking_steps.Journal("vote", None, (b"", b""), 3)
    trouble = kept.witness(effect, None)
    assert trouble is not None
    assert "journal" in trouble.reason


def test_D4_an_update_that_is_not_in_the_budget_does_not_leave(home: Profile) -> None:
    class Full:
        """An allowance on a full disk."""

        def spend(self, number: int, attempt: int) -> None:
            assert (number, attempt) == (NOTE.round, NOTE.attempt)
            raise OSError(28, "No space left on device")

    _, books = open_books(home)
    kept = Bookkeeping(replace(books, allowance=Full()))
    trouble = kept.note(NOTE, offer(), NodeConfig())
    assert trouble is not None
    assert trouble.disk
    assert "privacy budget cannot be written" in trouble.reason
    assert books.ledger.tail(10) == (), "the ledger does not say that it left"
    assert kept.note(NOTE, None, NodeConfig()) is None, "what is no update spends nothing"
