"""A MaskedParticipant on a desk: node 0 of a MaskedDesk, whose other nodes behave."""

import numpy as np
from masked_desk import BASE, BOSS, NODES, MaskedDesk, node

from fedtui.rounds.machine import Heard, ModelHere, Say, Trained, UpdateAcknowledged
from fedtui.rounds.masked_participant import MaskedParticipant
from fedtui.rounds.masked_work import MaskingSide
from fedtui.rounds.masking_steps import Prepare, Prepared
from fedtui.rounds.phases import Phase
from fedtui.secagg import masks
from fedtui.wire.codec import decode, encode
from fedtui.wire.masked_messages import Mailbox, Roster, Survivors, Votes
from fedtui.wire.messages import Control, Offer, UpdateHeader

OTHERS = (1, 2, 3, 4, 5)
TRAINED = Trained(
    1,
    1,
    digest=b"u" * 32,
    num_bytes=20,
    header=UpdateHeader(num_examples=10, sums={"loss_sum": 1.0, "examples": 10.0}),
)


def side(desk: MaskedDesk, **more: object) -> MaskingSide:
    fields = {
        "plan": desk.plan,
        "plan_hash": b"p" * 32,
        "num_values": 5,
        "federation_id": b"f" * 32,
        "signer": NODES[0],
        "coordinator": BOSS.public,
        "entropy": np.random.default_rng(9).bytes,
    }
    return MaskingSide(**(fields | more))


class MaskedNode:
    """`put` returns effects, messages as themselves; what it says is heard by the desk."""

    def __init__(self, *, desk: MaskedDesk | None = None, **more: object) -> None:
        self.desk = desk or MaskedDesk(6)
        self.side = side(self.desk, **more)
        self.machine = self.fresh()
        self.now = 0.0

    def fresh(self, **more: object) -> MaskedParticipant:
        return MaskedParticipant(
            side(self.desk, **more) if more else self.side,
            role="participant",
            refuses=lambda _work: None,
        )

    @property
    def phase(self) -> Phase:
        return self.machine.phase

    def put(self, event, *, after_s: float = 0.0) -> list:
        self.now += after_s
        effects = self.machine.handle(event, self.now)
        for effect in effects:
            if isinstance(effect, Say):
                decode(encode(effect.message), Control)
                self.desk.say(0, effect.message)
        return [e.message if isinstance(e, Say) else e for e in effects]

    def hear(self, message) -> list:
        return self.put(Heard(message))

    def told(self, kind: type) -> list:
        """Hear what the desk sent last of this kind."""
        return self.hear(self.desk.heard(0, kind))

    # ---- one round ------------------------------------------------------------------------------

    def until(self, phase: Phase) -> "MaskedNode":
        steps = {
            Phase.FETCHING: lambda: self.told(Offer),
            Phase.TRAINING: lambda: self.put(ModelHere(BASE.digest)),
            Phase.SHARING: lambda: self.put(TRAINED),
            Phase.MASKING: self.share,
            Phase.UPLOADING: lambda: self.prepared(self.mailbox[-1]),
            Phase.CONFIRMING: self.deliver,
        }
        for reached, step in steps.items():
            step()
            assert self.phase is reached
            if reached is phase:
                break
        return self

    def share(self) -> list:
        """Everybody is ready and shares; the mailbox is heard."""
        self.desk.accept(*OTHERS)
        self.desk.ready(*OTHERS)
        self.told(Roster)
        self.desk.share(*OTHERS)
        self.mailbox = self.told(Mailbox)
        return self.mailbox

    def prepared(self, prepare: Prepare, *, num_saturated: int = 0) -> list:
        update_D = np.ones(prepare.encoding.num_values, np.float32)
        self.desk.vectors[0], _ = masks.masked(
            prepare.encoding, update_D, prepare.scalars, weight=prepare.weight, of=prepare.masks
        )
        size = prepare.encoding.num_bytes
        return self.put(Prepared(1, 1, bytes(32), size, num_saturated=num_saturated))

    def deliver(self) -> list:
        self.desk.put(self.desk.opened(0))
        self.desk.put(self.desk.arrived(0))
        return self.put(UpdateAcknowledged(bytes(32)))

    def vote(self) -> list:
        """Everybody delivers; the survivors are heard."""
        self.desk.mask(*OTHERS)
        return self.told(Survivors)

    def reveal(self) -> list:
        self.desk.vote(*OTHERS)
        return self.told(Votes)

    @property
    def standing(self) -> str:
        return self.desk.machine.members[node(0)].standing.name
