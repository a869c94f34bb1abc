"""The two halves of a session: handshake, versions, identities, consent.

    node                                  coordinator
    M1                               -->
                                     <--  M2 ServerHello: versions, its Ed25519 key
    ServerIdentified; is it the pinned one?
    M3 ClientHello                   -->  ClientIdentified
                                     <--  Welcome          after `welcome(admission)`
    Welcomed
    SessionReady   after `ready()`   -->  Readied
                                     <--  anything of the coordinator's; Enrolled comes first

An id is the hash of the key that the handshake proves and the Ed25519 key of the hello; it is
never read from a message. If the coordinator's id is not the pinned one, and no rotation that the
pinned one signed leads to it, the session ends (4003) before anything about the node has left it.
Both hellos carry the whole range of versions inside the authenticated handshake, so that nobody
in between can talk the two down to an older one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Literal

from fedtui.crypto.keys import PublicIdentity, fingerprint
from fedtui.errors import CloseCode, IdentityMismatchError, LocalProtocolError, RemoteProtocolError
from fedtui.wire import codec
from fedtui.wire.channel import MAX_HELLO_BYTES, Channel
from fedtui.wire.declared import readable
from fedtui.wire.events import (
    ClientIdentified,
    MessageReceived,
    Readied,
    ServerIdentified,
    Welcomed,
)
from fedtui.wire.invite import InviteProof
from fedtui.wire.messages import (
    BulkMessage,
    ClientHello,
    Control,
    Echo,
    EchoReply,
    Enrolled,
    Fetch,
    FromCoordinator,
    FromNode,
    Leaving,
    Open,
    Role,
    RotateKey,
    ServerHello,
    SessionReady,
    Welcome,
)
from fedtui.wire.parts import MAX_FROM_COORDINATOR_BYTES, MAX_FROM_NODE_BYTES
from fedtui.wire.rotation import Succession, follow
from fedtui.wire.session import Session, SessionStart


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHello:
    """What a node says of itself; the session adds keys and versions."""

    label: str
    role: Role
    software: str = ""
    invite: InviteProof | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What the coordinator decided about a node: the fields of Welcome, and its role."""

    state: Literal["enrolled", "pending"]
    role: Role
    federation_id: bytes
    plan_hash: bytes
    plan_bytes: int


class Phase(Enum):
    """How far a session is."""

    HANDSHAKE = "the three messages are under way"
    DECIDING = "a person or the coordinator's roster decides whether to go on"
    WELCOMED = "the node may fetch the plan and is asked to consent"
    READY = "the node consented; work may be sent"


def negotiate(ours: tuple[int, int], theirs: tuple[int, int]) -> int:
    """Return the version to speak: the lower of the two greatest.

    Raises:
        RemoteProtocolError: one side does not speak it any more (4004).
    """
    version = min(ours[1], theirs[1])
    if version < max(ours[0], theirs[0]):
        raise RemoteProtocolError(
            f"this side speaks protocol versions {ours[0]} to {ours[1]}, the other side "
            f"{theirs[0]} to {theirs[1]}: update the older one",
            code=CloseCode.VERSION,
        )
    return version


class NodeSession(Session):
    """The node's half: the initiator."""

    _hears = Welcome | Enrolled | FromCoordinator | Echo | EchoReply | BulkMessage
    _longest = MAX_FROM_COORDINATOR_BYTES

    def __init__(
        self,
        start: SessionStart,
        *,
        hello: NodeHello,
        coordinator_id: bytes | None,
        trust_on_first_use: bool = False,
        last_seq: int = 0,
    ) -> None:
        """Begin: M1 is the first frame. `last_seq`: the coordinator's last rotation we know of.

        With `coordinator_id` None nothing is pinned. Then the session goes no further than the
        coordinator's identity, and only with `trust_on_first_use`: see ServerIdentified.
        """
        channel = Channel.initiator(start.identity, start.prologue, start.ephemeral_secret)
        super().__init__(channel, start)
        self.version = 0
        self._start = start
        self._hello = hello
        self._pinned = coordinator_id
        self._trust_on_first_use = trust_on_first_use
        self._last_seq = last_seq
        self._phase = Phase.HANDSHAKE
        self._plan_hash = b""
        self._handshakes.append(channel.write_handshake())

    @property
    def ready_for_work(self) -> bool:
        """Whether we have consented to the plan."""
        return self.ended is None and self._phase is Phase.READY

    def go_on(self) -> None:
        """A person trusts the identity of ServerIdentified: tell the coordinator who we are."""
        if self.ended is not None or self._phase is not Phase.DECIDING:
            raise LocalProtocolError("there is nothing to decide")
        self._introduce()

    def stop(self) -> None:
        """A person does not trust that identity: end, having told nothing."""
        self.close(CloseCode.IDENTITY_MISMATCH, "the coordinator's identity was not accepted")

    def asks_consent_to(self, plan_hash: bytes) -> bool:
        """Whether `ready(plan_hash)` is what comes next."""
        waits = self.ended is None and self._phase is Phase.WELCOMED
        return waits and plan_hash == self._plan_hash

    def ready(self, plan_hash: bytes, declared: Mapping[str, str] = MappingProxyType({})) -> None:
        """Consent to the plan of the Welcome, and declare what it asks for.

        Raises:
            LocalProtocolError: there was no Welcome, consent was given, or the hash is another.
        """
        if not self.asks_consent_to(plan_hash):
            raise LocalProtocolError(
                "consent is given once, after the welcome, to the plan that it names"
            )
        self._phase = Phase.READY
        session_id = self._channel.session_id
        self._say(
            SessionReady(session_id=session_id, plan_hash=plan_hash, declared=dict(declared))
        )

    def can_send(self, message: Control) -> bool:
        """Tell whether this may be said now: before consent, only what leads to it or away."""
        if self.ended is not None:
            return False
        if self._phase is Phase.WELCOMED:
            return isinstance(message, Fetch | Leaving | RotateKey | Echo)
        return self._phase is Phase.READY and isinstance(message, FromNode | Open | Echo)

    def _take_handshake(self, frame: bytes) -> None:
        if self._phase is not Phase.HANDSHAKE:
            raise RemoteProtocolError("a message came while nobody was to speak")
        payload = self._channel.read_handshake(frame)
        hello = codec.decode(payload, ServerHello, max_bytes=MAX_HELLO_BYTES)
        identity = PublicIdentity(self._channel.remote_x25519, hello.ed25519)
        steps = self._check_pinned(identity, hello)
        if self._pinned is None and not self._trust_on_first_use:
            raise IdentityMismatchError(
                f"this node trusts no coordinator yet; the one here is {fingerprint(identity.id)}"
            )
        self.version = negotiate(self._start.versions, (hello.version_min, hello.version_max))
        self._phase = Phase.DECIDING
        pinned = self._pinned is not None
        self._tell(ServerIdentified(identity, hello, pinned=pinned, successions=steps))
        if self._pinned is not None:
            self._introduce()

    def _check_pinned(
        self, identity: PublicIdentity, hello: ServerHello
    ) -> tuple[Succession, ...]:
        """Return how the pinned identity became this one; empty if it is that, or none is."""
        if self._pinned is None:
            return ()
        try:
            return follow(hello.successions, self._pinned, to=identity.id, last_seq=self._last_seq)
        except IdentityMismatchError as error:
            raise IdentityMismatchError(
                f"the coordinator has fingerprint {fingerprint(identity.id)}, but this node "
                f"trusts {fingerprint(self._pinned)}" + (f": {error}" if hello.successions else "")
            ) from error

    def _introduce(self) -> None:
        hello = ClientHello(
            version_min=self._start.versions[0],
            version_max=self._start.versions[1],
            ed25519=self._start.identity.ed25519_public,
            label=self._hello.label,
            role=self._hello.role,
            software=self._hello.software,
            invite=self._hello.invite,
        )
        payload = codec.encode(hello, max_bytes=MAX_HELLO_BYTES)
        self._handshakes.append(self._channel.write_handshake(payload))
        self._established()

    def _check_turn(self, message: Control) -> None:
        if (self._phase is Phase.DECIDING) is not isinstance(message, Welcome):
            raise RemoteProtocolError("a session has one welcome, and it comes first")
        if self._phase is not Phase.READY and isinstance(message, FromCoordinator | Enrolled):
            raise RemoteProtocolError("work came before this node consented")

    def _heard(self, message: Control) -> None:
        if isinstance(message, Welcome):
            if message.session_id != self._channel.session_id:
                raise RemoteProtocolError("the welcome is for another session")
            if message.version != self.version:
                raise RemoteProtocolError("the welcome names another version than negotiated")
            self._phase = Phase.WELCOMED
            self._plan_hash = message.plan_hash
            self._tell(Welcomed(message))
        elif isinstance(message, FromCoordinator | Enrolled):
            self._tell(MessageReceived(message))


class CoordinatorSession(Session):
    """The coordinator's half: the responder."""

    _hears = SessionReady | FromNode | Echo | EchoReply | BulkMessage
    _longest = MAX_FROM_NODE_BYTES

    def __init__(
        self,
        start: SessionStart,
        *,
        federation: str,
        incarnation: int,
        successions: tuple[Succession, ...] = (),
    ) -> None:
        """Wait for M1; the hello names the federation, the incarnation, and older identities."""
        channel = Channel.responder(start.identity, start.prologue, start.ephemeral_secret)
        super().__init__(channel, start)
        self.version = 0
        self._start = start
        self._federation = federation
        self._incarnation = incarnation
        self._successions = successions
        self._phase = Phase.HANDSHAKE
        self._plan_hash = b""
        self._greeted = False

    @property
    def ready_for_work(self) -> bool:
        """Whether the node has consented to the plan."""
        return self.ended is None and self._phase is Phase.READY

    def welcome(self, admission: Admission) -> None:
        """Let the node of ClientIdentified in.

        Raises:
            LocalProtocolError: nobody waits for it.
        """
        if self.ended is not None or self._phase is not Phase.DECIDING:
            raise LocalProtocolError("nobody waits to be welcomed")
        self._phase = Phase.WELCOMED
        self._plan_hash = admission.plan_hash
        self._say(
            Welcome(
                session_id=self._channel.session_id,
                state=admission.state,
                version=self.version,
                federation_id=admission.federation_id,
                plan_hash=admission.plan_hash,
                plan_bytes=admission.plan_bytes,
                window=self._start.window,
            )
        )

    def can_send(self, message: Control) -> bool:
        """Tell whether this may be said now: before the node's consent, only what it fetches."""
        if self.ended is not None:
            return False
        if self._phase is Phase.WELCOMED:
            return isinstance(message, Open | Echo)
        return self._phase is Phase.READY and isinstance(
            message, FromCoordinator | Enrolled | Open | Echo
        )

    def _take_handshake(self, frame: bytes) -> None:
        payload = self._channel.read_handshake(frame)
        if not self._greeted:
            self._greeted = True
            self._handshakes.append(self._channel.write_handshake(self._server_hello()))
            return
        self._established()
        hello = codec.decode(payload, ClientHello, max_bytes=MAX_HELLO_BYTES)
        self.version = negotiate(self._start.versions, (hello.version_min, hello.version_max))
        identity = PublicIdentity(self._channel.remote_x25519, hello.ed25519)
        self._phase = Phase.DECIDING
        self._tell(ClientIdentified(identity, hello))

    def _server_hello(self) -> bytes:
        hello = ServerHello(
            version_min=self._start.versions[0],
            version_max=self._start.versions[1],
            ed25519=self._start.identity.ed25519_public,
            federation=self._federation,
            incarnation=self._incarnation,
            successions=self._successions,
        )
        return codec.encode(hello, max_bytes=MAX_HELLO_BYTES)

    def _check_turn(self, message: Control) -> None:
        if self._phase is Phase.DECIDING:
            raise RemoteProtocolError("a node speaks after the welcome")
        if self._phase is Phase.READY:
            if isinstance(message, SessionReady):
                raise RemoteProtocolError("consent is given once")
        elif isinstance(message, Open) or (
            isinstance(message, FromNode) and not isinstance(message, Fetch | Leaving | RotateKey)
        ):
            raise RemoteProtocolError("work came before the node's consent")

    def _heard(self, message: Control) -> None:
        if isinstance(message, SessionReady):
            if message.session_id != self._channel.session_id:
                raise RemoteProtocolError("the consent is for another session")
            if message.plan_hash != self._plan_hash:
                raise RemoteProtocolError("the consent is to another plan")
            self._phase = Phase.READY
            self._tell(Readied(message.plan_hash, readable(message.declared)))
        elif isinstance(message, FromNode):
            self._tell(MessageReceived(message))
