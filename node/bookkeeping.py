"""Bookkeeping of one federation: what is on disk before it is said, and what a result proves.

Ledger, journal, the list of committed models. Every method that can fail says why in words, with
the remedy; the service then lets nothing of that call leave.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedtui import status
from fedtui.rounds.plan import MASKED
from fedtui.telling import privacy
from fedtui.wire.messages import Offer, Result
from node import policy
from node.journal import ConflictError
from node.ledger import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedtui.rounds import machine, masking_steps
    from fedtui.telling.agreement import Agreement
    from fedtui.wire.messages import Ended, Evaluate
    from node.allowance import Allowance
    from node.board import Board
    from node.config import NodeConfig
    from node.journal import Journal
    from node.ledger import Ledger
    from node.models import Models

MEND_DISK = "free some space, or mend the disk"
_JOURNAL_FAILS = "the node's journal cannot be written"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why something could not be written down, and what to do; `disk` if it is this machine's."""

    reason: str
    remedy: str
    disk: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What is kept, and for whom. `num_sent` says how much of an update has left so far.

    The `allowance` is there under a plan with [dp], for a participant.
    """

    board: Board
    ledger: Ledger
    journal: Journal | None
    models: Models
    agreement: Agreement
    receiver: str
    num_sent: Callable[[bytes], int]
    allowance: Allowance | None = None
    clock: Callable[[], float]


class Bookkeeping:
    """Writes the books of one federation."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._noted: set[tuple[int, int, bytes]] = set()
        self._covered: tuple[bytes, int] = (b"", 0)  # an update's digest, bytes noted of it

    def close(self) -> None:
        if self._books.journal is not None:
            self._books.journal.close()
        if self._books.allowance is not None:
            self._books.allowance.close()

    # ---- before anything is said --------------------------------------------------------------

    def witness(
        self, effect: masking_steps.Journal, work: Offer | Evaluate | None
    ) -> Trouble | None:
        """Write down what the node goes along with."""
        books = self._books
        if books.journal is None:
            return Trouble(
                reason="this node keeps no journal under this plan",
                remedy="that is a bug: please report it",
            )
        try:
            is_new = books.journal.note(effect)
        except OSError as error:
            return Trouble(
                reason=f"{_JOURNAL_FAILS}: {error.strerror}", remedy=MEND_DISK, disk=True
            )
        except ConflictError as error:
            return Trouble(
                reason=str(error),
                remedy="look at journal.jsonl, and ask the coordinator's operator why",
            )
        if is_new and effect.step == "vote" and isinstance(work, Offer):
            text = privacy.what_is_known(books.agreement.plan, effect, work.cohort_size)
            books.board.log("info", text, "privacy")
        return None

    def note(
        self, note: machine.Note, work: Offer | Evaluate | None, config: NodeConfig
    ) -> Trouble | None:
        """Write the ledger.

        An upload that goes on is one entry, however often it is opened. But one that the
        coordinator lets come again and again is noted again, and passes no limit.
        """
        books = self._books
        key = (note.round, note.attempt, note.digest or note.what.encode())
        if key in self._noted and self._is_covered(note):
            return None
        now = books.clock()
        today = books.ledger.num_bytes_on(now)
        if why := policy.refuses_upload(note.num_bytes, num_bytes_today=today, config=config):
            return Trouble(
                reason=why, remedy="fedtui limit --upload-per-day MB, or wait until midnight UTC"
            )
        if books.allowance is not None and isinstance(work, Offer):
            try:
                books.allowance.spend(note.round, note.attempt)
            except OSError as error:
                why = f"the node's privacy budget cannot be written: {error.strerror}"
                return Trouble(reason=why, remedy=MEND_DISK, disk=True)
        among = ""
        if note.form == MASKED:
            among = privacy.in_cohort(books.agreement.plan, work)
        entry = Entry(
            at=now,
            round=note.round,
            attempt=note.attempt,
            what=note.what + privacy.noise_in(books.agreement.plan, work) + among,
            form=note.form,
            num_bytes=note.num_bytes,
            digest=note.digest.hex(),
            receiver=books.receiver,
        )
        try:
            books.ledger.append(entry)
        except OSError as error:
            why = f"the node's ledger cannot be written: {error.strerror}"
            return Trouble(reason=why, remedy=MEND_DISK, disk=True)
        self._noted = {one for one in self._noted if one[0] >= note.round} | {key}
        before = self._covered[1] if self._covered[0] == note.digest else 0
        self._covered = (note.digest, before + note.num_bytes)
        books.board.post(status.LedgerWritten(line=entry.line()))
        return None

    # ---- what the coordinator committed to ----------------------------------------------------

    def allow(self) -> None:
        """The operator allows more sums on a model that the node voted for before."""
        if self._books.journal is not None:
            try:
                self._books.journal.allow()
            except OSError as error:
                self._disk(f"{_JOURNAL_FAILS}: {error.strerror}")

    def certify(self, message: Result | Ended) -> bool:
        """Note the committed model; False if it cannot be one of this federation's."""
        books = self._books
        num_bytes = books.agreement.manifest.num_bytes
        if message.model.num_bytes != num_bytes:
            text = f"has {message.model.num_bytes} bytes; the model agreed to has {num_bytes}"
            books.board.log("warning", f"what the coordinator names as the model {text}", "round")
            return False
        counted = isinstance(message, Result) and message.counted
        try:
            books.models.certify(
                message.model,
                final=not isinstance(message, Result),
                score=getattr(message, "score", None),
                counted=counted,
            )
        except OSError as error:
            self._disk(f"the committed model is not noted: {error.strerror or error}")
        return True

    def goes_back(self, offer: Offer) -> int | None:
        """The round that the coordinator rolled back, if this offer shows that it did.

        Rounds go on from an older model then, and the newer one is no committed model any more.
        """
        models = self._books.models
        newest = models.certified()[-1:]
        if not newest or newest[0].round <= offer.model.round:
            return None
        try:
            models.certify(offer.model, final=False)
        except OSError as error:
            self._disk(f"the committed model is not noted: {error.strerror or error}")
        return newest[0].round

    def answer_for(self, message: Result) -> None:
        """Note in the journal that the votes of this round came to something."""
        if self._books.journal is None:
            return
        try:
            self._books.journal.result(message.round, message.model.digest)
        except OSError as error:
            self._disk(f"{_JOURNAL_FAILS}: {error.strerror}")

    def keep_head(self, message: Result) -> None:
        """Keep the signed head of the coordinator's audit chain, if the result brought one."""
        head = message.audit_head
        if head is None:
            return
        entry = Entry(
            kind="head",
            at=self._books.clock(),
            round=message.round,
            attempt=message.attempt,
            sequence=head.sequence,
            hash=head.hash.hex(),
            signature=head.signature.hex(),
            receiver=self._books.receiver,
        )
        try:
            self._books.ledger.keep_head(entry)
        except OSError as error:
            self._disk(f"the audit head is not kept: {error.strerror}")

    def _is_covered(self, note: machine.Note) -> bool:
        """Whether no more has left than was noted: so far what is sent only goes on."""
        noted = self._covered[1] if self._covered[0] == note.digest else 0
        return not note.num_bytes or self._books.num_sent(note.digest) <= noted

    def _disk(self, text: str) -> None:
        self._books.board.log("warning", text)
        self._books.board.alarm("disk", text, remedy=MEND_DISK)
