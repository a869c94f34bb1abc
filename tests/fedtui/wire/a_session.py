"""Both halves of a session in memory, joined by nothing but their frames."""

from typing import TYPE_CHECKING

from fedtui.crypto.keys import Identity
from fedtui.wire.channel import RecordType, prologue
from fedtui.wire.codec import encode
from fedtui.wire.halves import Admission, CoordinatorSession, NodeHello, NodeSession
from fedtui.wire.invite import InviteProof
from fedtui.wire.messages import PATH, SUBPROTOCOL, Control, Enrolled, Waiting
from fedtui.wire.rotation import Succession
from fedtui.wire.session import Queued, Session, SessionStart

if TYPE_CHECKING:
    from fedtui.wire.events import (
        SessionEvent,
    )

NODE = Identity.from_seed(b"n" * 32)
COORDINATOR = Identity.from_seed(b"c" * 32)
STRANGER = Identity.from_seed(b"s" * 32)
PROLOGUE = prologue(PATH, (SUBPROTOCOL,), SUBPROTOCOL)
PLAN_HASH = b"p" * 32
ADMISSION = Admission(
    state="enrolled",
    role="participant",
    federation_id=b"f" * 32,
    plan_hash=PLAN_HASH,
    plan_bytes=100,
)
ENROLLED = Enrolled(role="participant", not_before=0, signature=b"s" * 64)
WAITING = Waiting(incarnation=1, present=1, needed=2)


def start(identity: Identity, **changes: object) -> SessionStart:
    fields = {
        "identity": identity,
        "ephemeral_secret": bytes(31) + identity.id[:1],
        "prologue": PROLOGUE,
        "now": 100.0,
    }
    return SessionStart(**(fields | changes))  # type: ignore[arg-type]


class Pair:
    """Both halves, and all events of each."""

    def __init__(
        self,
        *,
        pinned: bytes | None = COORDINATOR.id,
        trust_on_first_use: bool = False,
        node: SessionStart | None = None,
        coordinator: SessionStart | None = None,
        successions: tuple[Succession, ...] = (),
        last_seq: int = 0,
    ) -> None:
        self.node = NodeSession(
            node or start(NODE),
            hello=NodeHello(
                label="alice",
                role="participant",
                invite=InviteProof(invite_id=b"i" * 8, secret=b"s" * 16),
            ),
            coordinator_id=pinned,
            trust_on_first_use=trust_on_first_use,
            last_seq=last_seq,
        )
        self.coordinator = CoordinatorSession(
            coordinator or start(COORDINATOR),
            federation="digits",
            incarnation=3,
            successions=successions,
        )
        self.of_node: list[SessionEvent] = []
        self.of_coordinator: list[SessionEvent] = []

    def talk(self) -> "Pair":
        """Carry frames both ways until both are silent."""
        silent = False
        while not silent:
            silent = True
            for sender, receiver, events in (
                (self.node, self.coordinator, self.of_coordinator),
                (self.coordinator, self.node, self.of_node),
            ):
                frame = sender.next_frame()
                if frame is not None:
                    silent = False
                    events.extend(receiver.receive(frame))
        self.of_node += self.node.take_events()
        self.of_coordinator += self.coordinator.take_events()
        return self

    def welcomed(self) -> "Pair":
        self.talk()
        self.coordinator.welcome(ADMISSION)
        return self.talk()

    def ready(self) -> "Pair":
        self.welcomed()
        self.node.ready(PLAN_HASH)
        return self.talk()

    def say(self, session: Session, message: Control) -> "Pair":
        """Send what the API would refuse to send: the other side may be anybody's program."""
        session._queue.append(Queued(RecordType.CTRL, encode(message)))
        return self.talk()
