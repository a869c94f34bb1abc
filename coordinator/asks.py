"""What can be asked over the admin socket, and the frame of an answer. Light: commands use it."""

from typing import Annotated, Literal

import msgspec

MAX_LINE_BYTES = 64 * 1024

Role = Literal["participant", "evaluator", "observer"]  # as in fedtui.wire.messages


class Ask(msgspec.Struct, frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True):
    """A command; the tag is the name of its class."""


class AskStatus(Ask, frozen=True, kw_only=True):
    """Answered with a report.Status."""


class AskNodes(Ask, frozen=True, kw_only=True):
    """Answered with a list of nodes."""


class AskBoard(Ask, frozen=True, kw_only=True):
    """Answered with a fedtui.status.coordinator.Board."""


class AskInvites(Ask, frozen=True, kw_only=True):
    """Answered with every invite, newest first."""


class AskRevokeInvite(Ask, frozen=True, kw_only=True):
    """Nobody can enrol with this invite any more; `id` as 16 hex digits."""

    id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}\\Z")]


class AskApprove(Ask, frozen=True, kw_only=True):
    fingerprint: str


class AskReject(Ask, frozen=True, kw_only=True):
    """Turn away a node that waits for approval."""

    fingerprint: str


class AskRevoke(Ask, frozen=True, kw_only=True):
    fingerprint: str


class AskEvict(Ask, frozen=True, kw_only=True):
    """Put a node out of the round under way; it may come back for the next."""

    fingerprint: str


class AskInvite(Ask, frozen=True, kw_only=True):
    """A new invite; `hours` None takes the configured default."""

    role: Role = "participant"
    label: str = ""
    hours: Annotated[float, msgspec.Meta(gt=0, le=24 * 365)] | None = None
    uses: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    auto_approve: bool = False


class AskPause(Ask, frozen=True, kw_only=True):
    """No new round begins."""


class AskResume(Ask, frozen=True, kw_only=True):
    """Rounds go on."""


class AskNext(Ask, frozen=True, kw_only=True):
    """Begin a round with the nodes that are here, without waiting for more."""


class AskStop(Ask, frozen=True, kw_only=True):
    """Stop the program; with `end`, end the federation for good and leave the program running."""

    end: bool = False


class AskFollow(Ask, frozen=True, kw_only=True):
    """Answered with a status line, then with one line for everything that happens."""


AnyAsk = (
    AskStatus
    | AskNodes
    | AskBoard
    | AskInvites
    | AskRevokeInvite
    | AskApprove
    | AskReject
    | AskRevoke
    | AskEvict
    | AskInvite
    | AskPause
    | AskResume
    | AskNext
    | AskStop
    | AskFollow
)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What comes back. With an `error`, `exit` is the exit status that the command ends with."""

    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""
    exit: int = 0
