"""A scripted node that takes part in masked rounds, with the real half of the conversation."""

import asyncio
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from a_coordinator import MANIFEST, Bytes, D, ThinNode, make

from coordinator.layout import Layout
from coordinator.opening import read_settings
from coordinator.service import CoordinatorService
from fedtui.rounds import masking
from fedtui.rounds.machine import Say
from fedtui.rounds.masked_work import MaskedWork, MaskingSide
from fedtui.secagg import masks
from fedtui.wire.events import MessageReceived, SessionEvent
from fedtui.wire.invite import Invite
from fedtui.wire.masked_messages import Mailbox, Survivors, ToMasker
from fedtui.wire.messages import Accepting, Evaluate, Offer, Open, UpdateHeader

PRIVACY = "colluders = 1\nminimum = 3\nlargest_cohort = 10\n"


def make_masked(folder: Path, *, start_with: int, rounds: int = 1, deadlines: str = "") -> Layout:
    """A coordinator whose rounds are masked; `deadlines` are more lines of that section."""
    layout = make(folder, minimum=3, rounds=rounds, updates="masked", extra=PRIVACY)
    text = layout.plan.read_text().replace("[rounds]", f"[rounds]\nstart_with = {start_with}")
    layout.plan.write_text(text.replace("[deadlines]", f"[deadlines]\n{deadlines}"))
    return layout


@dataclass
class MaskedNode(ThinNode):
    """Its update is `number` / 10 everywhere, of 10 * `number` examples; flags change it."""

    votes: bool = True
    masks: bool = True
    spoils: bool = False
    unmasked: bool = False
    side: MaskingSide | None = None
    work: MaskedWork | None = None
    vector: bytes = b""

    async def start(self, service: CoordinatorService, invite: Invite | None = None) -> None:
        """Dial, having read the plan."""
        settings = read_settings(service.layout)
        self.side = MaskingSide(
            plan=settings.plan,
            plan_hash=settings.plan_hash,
            num_values=D,
            federation_id=service.store.federation_id,
            signer=self.identity,
            coordinator=service._identity.public,
            entropy=os.urandom,
        )
        await super().start(service, invite)

    def event(self, event: SessionEvent) -> None:
        if isinstance(event, MessageReceived) and isinstance(event.message, Offer | Evaluate):
            self.heard.append(event.message)
            self._begin(event.message)
        elif isinstance(event, MessageReceived) and isinstance(event.message, ToMasker):
            self.heard.append(event.message)
            self._converse(event.message)
        else:
            super().event(event)

    def _begin(self, work: Offer | Evaluate) -> None:
        assert self.link is not None
        assert self.side is not None
        if not self.answers:
            return
        self.work, self.vector = MaskedWork(self.side, work), b""
        if isinstance(work, Evaluate):
            sums = {"loss_sum": 1.0, "correct": self.correct, "examples": 10.0}
            self.link.send(self.work.measured(sums))
            return
        names = {"incarnation": work.incarnation, "round": work.round, "attempt": work.attempt}
        self.link.send(Accepting(**names))
        self.link.send(self.work.ready())

    def _converse(self, message: ToMasker) -> None:
        assert self.link is not None
        assert self.work is not None
        if isinstance(message, Survivors) and not self.votes:
            return
        for effect in self.work.hear(message):
            if isinstance(effect, Say):
                self.link.send(effect.message)
        if not isinstance(message, Mailbox) or not self.masks:
            return
        if self.work.attempt.purpose == "evaluation":
            said = self.work.sums()[-1]
            assert isinstance(said, Say)
            self.link.send(said.message)
            return
        self._send(message)

    def _send(self, mailbox: Mailbox) -> None:
        assert self.link is not None
        self.vector = self.vector or self._mask()
        header = UpdateHeader(num_examples=1, sums={}) if self.unmasked else None
        opening = Open(
            stream=0,
            kind="update" if self.unmasked else "masked",
            num_bytes=len(self.vector),
            digest=hashlib.blake2b(self.vector, digest_size=32).digest(),
            manifest_digest=MANIFEST.digest(),
            update=header,
            incarnation=mailbox.incarnation,
            round=mailbox.round,
            attempt=mailbox.attempt,
        )
        loop = asyncio.get_running_loop()
        loop.call_soon(self.link.open_stream, opening, Bytes(self.vector))

    def _mask(self) -> bytes:
        assert self.side is not None
        assert self.work is not None
        assert self.work.masks is not None
        plan, examples = self.side.plan, 10 * self.number
        scalars = {masking.WEIGHT: float(examples), "loss_sum": 1.0, "examples": 10.0}
        words, _ = masks.masked(
            self.work.layout,
            np.full(D, self.number / 10, np.float32),
            scalars,
            weight=examples / plan.weight_cap,
            of=self.work.masks,
        )
        if self.spoils:
            words[0] += np.uint64(1)
        return words.astype("<u8").tobytes()
