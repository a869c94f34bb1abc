"""What a session tells its driver: one frozen dataclass per thing that can happen.

There is no event for a single record of a bulk stream: its bytes go straight to the sink.
Stream numbers belong to one session and to the side that opened the stream. A number of a session
that is over never means anything in the next one.
"""

from dataclasses import dataclass

from fedtui.crypto.keys import PublicIdentity
from fedtui.wire.messages import (
    ClientHello,
    EchoReply,
    Enrolled,
    ErrorReport,
    FromCoordinator,
    FromNode,
    Open,
    ServerHello,
    Welcome,
)
from fedtui.wire.rotation import Succession


@dataclass(frozen=True, slots=True)
class ServerIdentified:
    """Node's half: the coordinator proved this identity. Nothing of ours was sent yet.

    `successions` are the checked rotations that led to it from the pinned id; empty if it is that.
    If `pinned` is false, nobody knew this coordinator before: show its fingerprint, then call
    `go_on()` or `stop()`.
    """

    identity: PublicIdentity
    hello: ServerHello
    pinned: bool
    successions: tuple[Succession, ...] = ()


@dataclass(frozen=True, slots=True)
class ClientIdentified:
    """Coordinator's half: a node proved this identity. Answer with `welcome()` or `close()`."""

    identity: PublicIdentity
    hello: ClientHello


@dataclass(frozen=True, slots=True)
class Welcomed:
    """Node's half: the coordinator let us in. Answer with `ready()` after consent to the plan."""

    welcome: Welcome


@dataclass(frozen=True, slots=True)
class Readied:
    """Coordinator's half: the node consents to this plan and can take work.

    `declared` are names and values that its operator declares, safe to show.
    """

    plan_hash: bytes
    declared: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A control message for the machines (or the reply to our Echo, or our certificate)."""

    message: FromNode | FromCoordinator | Enrolled | EchoReply


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The other side offers a stream. Answer with `accept()` or `refuse()`, now or later."""

    opening: Open


@dataclass(frozen=True, slots=True)
class StreamAccepted:
    """Our stream flows from `offset` on: what lies before is there already."""

    stream: int
    offset: int


@dataclass(frozen=True, slots=True)
class StreamRefused:
    """Our stream is not wanted (any more); `code` is an error code, `text` safe to show."""

    stream: int
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class StreamComplete:
    """All bytes of their stream are in the sink. Verify the digest, sync, then `receipt()`."""

    stream: int


@dataclass(frozen=True, slots=True)
class StreamReceipt:
    """Our stream arrived, verified and durable over there. The stream is over."""

    stream: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class StreamCancelled:
    """They gave their stream up; no more of it comes."""

    stream: int


@dataclass(frozen=True, slots=True)
class StreamFailed:
    """Our own source or sink could not read or write; the stream is over, the session is not."""

    stream: int
    outgoing: bool
    reason: str


@dataclass(frozen=True, slots=True)
class ErrorReported:
    """The other side's encrypted, authoritative reason to end the session."""

    report: ErrorReport


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """Always the last event. `authentic` tells an encrypted ERROR or our own verdict from a guess.

    A connection that just broke, or that was closed by a bare close code, which anybody on the
    path can forge, ends with code 4000 and `authentic` false.
    """

    code: int
    text: str
    authentic: bool = True
    retry_after_s: float = 0.0


BulkEvent = (
    StreamOpened
    | StreamAccepted
    | StreamRefused
    | StreamComplete
    | StreamReceipt
    | StreamCancelled
    | StreamFailed
)
SessionEvent = (
    ServerIdentified
    | ClientIdentified
    | Welcomed
    | Readied
    | MessageReceived
    | BulkEvent
    | ErrorReported
    | SessionEnded
)
