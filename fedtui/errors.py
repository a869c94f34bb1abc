"""Everything that fedtui raises on purpose, and the close codes of the channel.

Three questions sort the exceptions. Did *we* call something wrongly (`LocalProtocolError`, a bug
of ours)? Did the *other side* of a connection break a rule (`ChannelError` and below, each with
the `CloseCode` that ends the connection)? Or must a *person* act (`OperatorError` and below)? The
message of each is written for the person who reads it: what was wrong, where, and what to do.
"""

from enum import Enum, IntEnum
from typing import ClassVar


class Retry(Enum):
    """What a node does after a connection ended with a given code."""

    SILENTLY = "try again with growing pauses, without a word"
    WITH_BANNER = "try again with growing pauses, and say so on the screen"
    ASK = "stop and ask the person"
    REPORT = "stop and keep the context for a bug report"
    NEVER = "stop with a notice"


class CloseCode(IntEnum):
    """Why a connection ends: the code in an encrypted ERROR record, and of the websocket close.

    Only the encrypted ERROR is authoritative. Anybody on the path can forge a bare close code, so
    a bare code is treated like a network error: retried, and no key or state is ever deleted for
    it.
    """

    retry: Retry
    sentence: str

    def __new__(cls, value: int, retry: Retry, sentence: str) -> "CloseCode":
        """Attach the retry class and the sentence to the number."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.retry = retry
        member.sentence = sentence
        return member

    BYE = 4000, Retry.SILENTLY, "the other side said goodbye"
    UNAUTHORISED = 4001, Retry.ASK, "the coordinator does not accept this node or its invite"
    CRYPTO = (
        4002,
        Retry.WITH_BANNER,
        "a message was altered, replayed or encrypted with another key",
    )
    IDENTITY_MISMATCH = 4003, Retry.ASK, "the coordinator is not the one that was pinned"
    VERSION = 4004, Retry.ASK, "the two sides share no protocol version"
    PROTOCOL = 4005, Retry.REPORT, "a message broke the rules of the protocol"
    LIMIT = 4006, Retry.WITH_BANNER, "a limit on size, rate or number was passed"
    SUPERSEDED = 4007, Retry.NEVER, "a newer connection of the same node took over"
    REVOKED = 4008, Retry.ASK, "the coordinator's operator revoked this node"
    PENDING_TIMEOUT = 4009, Retry.NEVER, "nobody approved this node in time"
    OVERLOADED = 4010, Retry.SILENTLY, "the coordinator has too much to do"
    SHUTTING_DOWN = 4011, Retry.SILENTLY, "the coordinator is shutting down"
    ROTATED = 4012, Retry.ASK, "this identity handed over to a new key and is no longer accepted"


class ExitCode(IntEnum):
    """What a command's exit status means. The numbers follow BSD's sysexits.h."""

    OK = 0
    FAILED = 1
    USAGE = 2
    BAD_DATA = 65
    MISSING_INPUT = 66
    UNAVAILABLE = 69
    INTERNAL = 70
    CANNOT_CREATE = 73
    IO = 74
    TRY_LATER = 75
    PROTOCOL = 76
    NO_PERMISSION = 77
    BAD_CONFIG = 78


class FedtuiError(Exception):
    """Base of all that fedtui raises on purpose; `str(error)` is fit to show to a person."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED


class LocalProtocolError(FedtuiError):
    """Our own code called something out of turn or bounds; the call changed nothing."""

    exit_code = ExitCode.INTERNAL


class ChannelError(FedtuiError):
    """A connection cannot go on; `code` says with which code it ends."""

    default_code: ClassVar[CloseCode] = CloseCode.PROTOCOL
    exit_code = ExitCode.PROTOCOL

    def __init__(self, message: str, *, code: CloseCode | None = None) -> None:
        """Take the sentence for a person, and a code if it is not the class's own."""
        super().__init__(message)
        self.code = self.default_code if code is None else code


class RemoteProtocolError(ChannelError):
    """The other side broke a rule of the protocol (4005 unless a more exact code is given)."""


class CryptoError(RemoteProtocolError):
    """What arrived does not decrypt or verify: altered, replayed, out of order, or another key."""

    default_code = CloseCode.CRYPTO


class IdentityMismatchError(RemoteProtocolError):
    """The other side proved an identity that is not the pinned one."""

    default_code = CloseCode.IDENTITY_MISMATCH
    exit_code = ExitCode.NO_PERMISSION


class ChannelClosedError(ChannelError):
    """The session came to its regular end, for example because its counters are used up."""

    default_code = CloseCode.BYE
    exit_code = ExitCode.UNAVAILABLE


class OperatorError(FedtuiError):
    """A person must act; the message says what was wrong, where, and what to do."""


class InviteError(OperatorError):
    """A text is not a usable invite."""

    exit_code = ExitCode.BAD_DATA


class FingerprintError(OperatorError):
    """A text is not a fingerprint."""

    exit_code = ExitCode.BAD_DATA


class KeyFileError(OperatorError):
    """A file with keys or trusted identities is missing, exposed, damaged or locked."""

    exit_code = ExitCode.NO_PERMISSION


class KeyFileExistsError(KeyFileError):
    """An identity already lives where a new one should be written; nothing was overwritten."""

    exit_code = ExitCode.CANNOT_CREATE
